"""What settled rows and refusals add up to by client key."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.accounts.budgets import Balance, Budget
from gateway.accounts.virtual_keys import VirtualKey
from gateway.completion import Usage
from gateway.observability.key_metrics import MAX_CODES, MAX_KEYS, KeyBudget, KeyMetrics
from gateway.observability.prometheus import PrometheusExporter
from gateway.observability.state_metrics import StateMetrics
from gateway.records import RequestRecord

AT = datetime(2026, 11, 29, tzinfo=UTC)
KEY = VirtualKey("key_1", "team-search", b"", "abcd", AT, budget=Budget(5_000_000_000, "day"))
ROW = RequestRecord(
    "r",
    "",
    "pinned",
    "gemini",
    "one",
    "gemini",
    "one",
    status="ok",
    key_id="key_1",
    actual_cost=Decimal("0.25"),
    usage=Usage(prompt_tokens=10, completion_tokens=5),
)


@pytest.fixture
def exporter() -> PrometheusExporter:
    exporter = PrometheusExporter()
    exporter.state = StateMetrics(key_labels=True, key_names=lambda: {"key_1": "team-search"})
    return exporter


def value(exporter: PrometheusExporter, name: str, **labels: str) -> float | None:
    return exporter.registry.get_sample_value(f"gateway_key_{name}", labels)


def test_each_key_has_its_sums(exporter: PrometheusExporter) -> None:
    """Requests by status, cost and tokens, under the key's id and its name."""
    for row in (ROW, ROW, ROW._replace(status="error", actual_cost=None, usage=None)):
        exporter.keys.observe(row)
    which = {"key_id": "key_1", "key": "team-search"}
    assert value(exporter, "requests_total", status="ok", **which) == 2
    assert value(exporter, "requests_total", status="error", **which) == 1
    assert value(exporter, "cost_usd_total", **which) == 0.5
    assert value(exporter, "tokens_total", kind="prompt", **which) == 20
    assert value(exporter, "tokens_total", kind="completion", **which) == 10


def test_a_key_without_a_name_is_called_by_its_id(exporter: PrometheusExporter) -> None:
    """Keys of the configuration have no name; requests without a key are `none`."""
    exporter.keys.observe(ROW._replace(key_id="0acc94cf"))
    exporter.keys.observe(ROW._replace(key_id=None))
    assert value(exporter, "requests_total", status="ok", key_id="0acc94cf", key="0acc94cf") == 1
    assert value(exporter, "requests_total", status="ok", key_id="none", key="none") == 1


def test_refusals_count_by_key_where_keys_are_labels(exporter: PrometheusExporter) -> None:
    """A key that is refused is seen; without the setting only the code counts."""
    exporter.observe_refusal("budget_exceeded", "key_1")
    exporter.state = StateMetrics()
    exporter.observe_refusal("budget_exceeded", "key_1")
    exporter.state = StateMetrics(key_labels=True)
    assert value(exporter, "refusals_total", code="budget_exceeded", key_id="key_1", key="key_1") == 1
    assert exporter.registry.get_sample_value("gateway_refusals_total", {"code": "budget_exceeded"}) == 2


def test_the_number_of_series_is_bounded(exporter: PrometheusExporter) -> None:
    """Keys and codes beyond the first ones count as `other`."""
    for number in range(MAX_KEYS + 3):
        exporter.keys.observe(ROW._replace(key_id=f"key_{number}"))
    for number in range(MAX_CODES + 2):
        exporter.keys.observe_refusal(f"code_{number}", "key_0")
    assert value(exporter, "requests_total", status="ok", key_id="other", key="other") == 3
    assert value(exporter, "refusals_total", code="other", key_id="key_0", key="key_0") == 2


def test_budgets_have_a_limit_and_what_is_spent_and_held() -> None:
    """In USD, for the window that runs; a key without a budget has no value, nor has any without the setting."""
    budgets = [
        KeyBudget(KEY, Balance(1_500_000_000, 250_000_000)),
        KeyBudget(VirtualKey("k", "k", b"", "", AT), Balance()),
    ]
    exporter = PrometheusExporter()
    which = {"key_id": "key_1", "key": "team-search", "window": "day"}
    for shown in (True, False):
        exporter.state = StateMetrics(key_labels=shown, key_budgets=lambda: budgets)
        found = [value(exporter, f"budget_{name}usd", **which) for name in ("", "spent_", "held_")]
        assert found == ([5.0, 1.5, 0.25] if shown else [None] * 3)


def test_nothing_is_counted_before_there_is_something() -> None:
    """A new gateway has no series by key."""
    assert [sample for family in KeyMetrics().families({}) for sample in family.samples] == []
