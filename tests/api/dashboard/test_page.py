"""The first page."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.conftest import KEYS, MakeGateway
from tests.upstreams import failing


def test_empty_ledger_has_a_page(make_gateway: MakeGateway) -> None:
    """An empty ledger has a page too, and in the demo it says that it is one."""
    page = make_gateway(demo=True).client.get("/")
    assert page.status_code == 200
    assert page.headers["x-gateway-demo"] == "true"
    assert "simulated" in page.text
    assert "No request yet" in page.text


def test_page_shows_the_rows_escaped(make_gateway: MakeGateway) -> None:
    """Rows are shown with their reasons; what a client wrote cannot become markup."""
    gateway = make_gateway()
    gateway.ask("Hello", path="/v1/chat/completions?auto_route=false")
    gateway.ask(model="claude/claude-haiku-5-5")
    page = gateway.client.get("/")
    assert "gemini/gemini-3.8-flash" in page.text
    assert "pinned" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_static_files_are_a_fixed_list(make_gateway: MakeGateway) -> None:
    """Only the page's own files are served."""
    client = make_gateway().client
    assert client.get("/static/dashboard.css").headers["content-type"].startswith("text/css")
    for path in ("/static/dashboard.html", "/static/..%2fapp.py", "/static/../app.py"):
        assert client.get(path).status_code == 404


def test_banner_shows_while_no_provider_answers(make_gateway: MakeGateway) -> None:
    """While no provider answers a banner says so; one answer takes it away."""
    down = {"gemini", "claude", "openrouter"}
    gateway = make_gateway(lambda request: failing(503, *down)(request))
    assert gateway.ask().status_code == 503
    assert gateway.ask().status_code == 503
    assert "every candidate failed for 2 of the newest requests" in gateway.client.get("/").text
    down.clear()
    assert gateway.ask().status_code == 200
    assert "No provider answers" not in gateway.client.get("/").text


def test_page_names_requests_of_unknown_price(make_gateway: MakeGateway) -> None:
    """Requests whose price nobody knows are told of, for the sums leave them out."""
    gateway = make_gateway()
    assert gateway.ask(model="gemini/of-tomorrow").status_code == 200
    assert "1 requests have no known price" in gateway.client.get("/").text
    assert "gateway_unpriced_requests_total 1.0" in gateway.client.get("/metrics").text


def test_page_shows_share_of_strongest_models_by_key(make_gateway: MakeGateway) -> None:
    """Where several keys are used, the page says how many of each one's routed requests the strongest models answered."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "key-number-one,key-number-two"})
    admin = {"authorization": "Bearer key-number-one"}
    for key in ("key-number-one", "key-number-two"):
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
        sent = gateway.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})
        assert sent.status_code == 200
        page = gateway.client.get("/", headers=admin).text
        assert ("routed to the strongest models" in page) == (key == "key-number-two")


def test_page_summary_and_report_show_the_same_savings(make_gateway: MakeGateway, tmp_path: Path) -> None:
    """The page, the summary and `gateway report` name the same share of the baseline: savings over baselines, not a mean of percentages."""
    gateway = make_gateway()
    for prompt in ("Hello", "Explain how HTTP works", "Analyze the architectural trade-offs between " * 10):
        assert gateway.ask(prompt).status_code == 200
        assert gateway.ask(prompt, model="gemini/gemini-unlisted").status_code == 200
    summary = gateway.client.get("/v1/routing/summary").json()
    share = summary["total_savings"] / summary["total_baseline_cost"]
    assert summary["saved_share"] == pytest.approx(share)
    assert f"{share * 100:.1f} % of the baseline" in gateway.client.get("/").text
    told = CliRunner().invoke(main, ["report", "--db", str(tmp_path / "gateway.db")]).output
    assert f"{share * 100:.1f} % of the baseline" in told
    assert gateway.client.get("/v1/routing/report").json()["saved_share"] == pytest.approx(share)
