"""What settled rows add up to by tag."""

from __future__ import annotations

from decimal import Decimal

from gateway.completion import Usage
from gateway.observability.prometheus import PrometheusExporter
from gateway.observability.tag_metrics import MAX_VALUES
from gateway.records import RequestRecord
from tests.conftest import MakeGateway

ROW = RequestRecord(
    "r",
    "",
    "pinned",
    "gemini",
    "one",
    "gemini",
    "one",
    status="ok",
    tags={"project": "search", "branch": "main"},
    actual_cost=Decimal("0.25"),
    usage=Usage(prompt_tokens=10, completion_tokens=5),
)


def value(exporter: PrometheusExporter, name: str, **labels: str) -> float | None:
    return exporter.registry.get_sample_value(f"gateway_tag_{name}", labels)


def test_each_value_has_its_sums() -> None:
    """Requests by status, cost and tokens, for the listed tags only."""
    exporter = PrometheusExporter()
    for row in (ROW, ROW, ROW._replace(status="error", actual_cost=None, usage=None)):
        exporter.tags.observe(row, names=["project"])
    which = {"tag": "project", "value": "search"}
    assert value(exporter, "requests_total", status="ok", **which) == 2
    assert value(exporter, "requests_total", status="error", **which) == 1
    assert value(exporter, "cost_usd_total", **which) == 0.5
    assert value(exporter, "tokens_total", kind="prompt", **which) == 20
    assert value(exporter, "tokens_total", kind="completion", **which) == 10
    assert value(exporter, "cost_usd_total", tag="branch", value="main") is None


def test_row_without_the_tag_is_counted() -> None:
    """What no tag covers is not lost: its value is `none`."""
    exporter = PrometheusExporter()
    exporter.tags.observe(ROW, names=["customer"])
    assert value(exporter, "cost_usd_total", tag="customer", value="none") == 0.25


def test_values_are_bounded() -> None:
    """Clients choose the values; those beyond the limit count together, known ones for themselves."""
    exporter = PrometheusExporter()
    for number in [*range(MAX_VALUES + 5), 0]:
        exporter.tags.observe(ROW._replace(tags={"project": str(number)}), names=["project"])
    assert value(exporter, "cost_usd_total", tag="project", value="other") == 5 * 0.25
    assert value(exporter, "cost_usd_total", tag="project", value="0") == 2 * 0.25


def test_setting_names_the_tags(make_gateway: MakeGateway) -> None:
    """`metrics_tag_labels` of the configuration brings a tag of the request to `/metrics`."""
    gateway = make_gateway(config="metrics_tag_labels: [project]\n")
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": "2+2?"}],
        "routing": {"tags": {"project": "search", "branch": "main"}},
    }
    gateway.client.post("/v1/chat/completions", json=body).raise_for_status()
    metrics = gateway.client.get("/metrics").text
    assert 'gateway_tag_requests_total{status="ok",tag="project",value="search"} 1.0' in metrics
    assert "branch" not in metrics
