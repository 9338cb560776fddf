"""The ledger over HTTP."""

from __future__ import annotations

import pytest

from tests.conftest import MakeGateway
from tests.upstreams import answer


def test_summary_adds_up_the_rows(make_gateway: MakeGateway) -> None:
    """The summary is the sum of the rows."""
    gateway = make_gateway(answer())
    for model in ("auto", "claude/claude-haiku-5-5", "gemini/gemini-3.8-flash"):
        gateway.ask("Hello", model=model)
    summary = gateway.client.get("/v1/routing/summary?days=1").json()
    rows = gateway.rows
    assert summary["total_requests"] == len(rows) == 3
    assert summary["total_cost"] == pytest.approx(sum(row["actual_cost"] for row in rows))
    assert summary["total_savings"] == pytest.approx(sum(row["cost_savings"] for row in rows))


def test_reports_read_the_current_rows(make_gateway: MakeGateway) -> None:
    """Confidence, patterns and timeline answer from the rows as they stand."""
    gateway = make_gateway()
    gateway.ask("Hello")
    assert sum(gateway.client.get("/v1/routing/confidence").json().values()) == 1
    assert gateway.client.get("/v1/routing/patterns").json()["data"][0]["count"] == 1
    assert len(gateway.client.get("/v1/routing/timeline?days=1").json()["data"]) == 1


def test_rows_are_paged(make_gateway: MakeGateway) -> None:
    """Rows come newest first, and each page says where the next begins."""
    gateway = make_gateway()
    ids = [gateway.ask("Hello").headers["x-request-id"] for _ in range(3)]
    first = gateway.client.get("/v1/routing/requests?limit=2").json()
    second = gateway.client.get(f"/v1/routing/requests?limit=2&before={first['next_before']}").json()
    assert [row["request_id"] for row in first["data"] + second["data"]] == ids[::-1]
    assert second["next_before"] is None


def test_page_of_nothing_has_no_next_page(make_gateway: MakeGateway) -> None:
    """Without rows there is no next page, whatever the limit is."""
    page = make_gateway().client.get("/v1/routing/requests?limit=0")
    assert (page.status_code, page.json()) == (200, {"data": [], "next_before": None})


def test_rows_are_filtered_by_tag(make_gateway: MakeGateway) -> None:
    """Tags of the hints, the header and the metadata are in the row, and `?tag:NAME=VALUE` finds it."""
    gateway = make_gateway(config="tag_header: x-labels\n")
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "metadata": {"branch": "main"}}
    hints = {"routing": {"tags": {"project": "acme"}}}
    gateway.client.post("/v1/chat/completions", json={**body, **hints}, headers={"x-labels": "feature=login"})
    gateway.ask("Hello")
    tagged, untagged = gateway.rows
    assert tagged["tags"] == {"project": "acme", "feature": "login", "branch": "main"}
    assert untagged["tags"] is None
    for query, ids in (("tag:feature=login", [tagged["request_id"]]), ("tag:feature=logout", [])):
        rows = gateway.client.get(f"/v1/routing/requests?{query}").json()["data"]
        assert [row["request_id"] for row in rows] == ids


def test_request_route_gives_row_with_attempts_or_404(make_gateway: MakeGateway) -> None:
    """A row comes with its attempts; an unknown one is a 404."""
    gateway = make_gateway()
    request_id = gateway.ask("Hello").headers["x-request-id"]
    row = gateway.client.get(f"/v1/routing/requests/{request_id}").json()
    assert row["attempts"][0]["status"] == "settled"
    assert gateway.client.get("/v1/routing/requests/nobody").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "summary?days=0",
        "summary?days=x",
        "summary?days=nan",
        "summary?days=99999",
        "requests?limit=-1",
        "requests?limit=501",
        "requests?before=1.5",
    ],
)
def test_bad_query_is_a_400_that_names_the_parameter(make_gateway: MakeGateway, query: str) -> None:
    """A bad query is a 400 that names the parameter."""
    response = make_gateway().client.get(f"/v1/routing/{query}")
    assert response.status_code == 400
    assert response.json()["error"]["param"] in query


def test_the_report_is_that_of_the_rows(make_gateway: MakeGateway) -> None:
    """The report sums up the rows: spent, baseline with its name, and the saved share of sums over sums."""
    gateway = make_gateway(answer())
    for model in ("auto", "claude/claude-haiku-5-5"):
        gateway.ask("Hello", model=model)
    report = gateway.client.get("/v1/routing/report?since=1d&by=model").json()
    rows = gateway.rows
    assert (report["requests"], report["routed"]) == (2, 1)
    assert report["spent_usd"] == pytest.approx(sum(row["actual_cost"] for row in rows))
    assert report["baseline_usd"] == pytest.approx(sum(row["baseline_cost"] for row in rows))
    assert report["saved_share"] == pytest.approx(report["saved_usd"] / report["baseline_usd"])
    assert set(report["baselines"]) == {f"{row['baseline_provider']}/{row['baseline_model']}" for row in rows}
    assert sum(row["requests"] for row in report["by"]) == 2
    assert report["quality"]["enough"] is False


@pytest.mark.parametrize("by", ["pattern", "key", "provider", "day", "session", "tag:team"])
def test_a_report_is_broken_down_by_what_is_asked(make_gateway: MakeGateway, by: str) -> None:
    """Every breakdown of the contract answers; its rows never count a request twice."""
    gateway = make_gateway(answer())
    gateway.ask("Hello", routing={"session_id": "s1"})
    report = gateway.client.get(f"/v1/routing/report?by={by}").json()
    assert sum(row["requests"] for row in report["by"]) == (0 if by == "tag:team" else 1)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("report?by=colour", "by"),
        ("report?by=tag:", "by"),
        ("report?since=soon", "since"),
        ("report?days=3", "days"),
        ("requests?colour=red", "colour"),
        ("requests?until=late", "until"),
        ("requests?format=xml", "format"),
    ],
)
def test_unknown_filters_are_refused(make_gateway: MakeGateway, query: str, param: str) -> None:
    """A filter that does not exist, or a value that it does not have, is a 400 that names it."""
    response = make_gateway().client.get(f"/v1/routing/{query}")
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_rows_are_filtered_and_exported(make_gateway: MakeGateway) -> None:
    """Filters leave their rows only, and the CSV has exactly those; a cell cannot become a formula."""
    gateway = make_gateway(answer())
    gateway.ask("Hello", routing={"session_id": "=cmd()"})
    gateway.ask("Hello", model="claude/claude-haiku-5-5")
    rows = gateway.client.get("/v1/routing/requests?strategy=pinned&since=1h").json()["data"]
    assert [row["requested_model"] for row in rows] == ["claude/claude-haiku-5-5"]
    assert gateway.client.get("/v1/routing/requests?until=1h").json()["data"] == []
    exported = gateway.client.get("/v1/routing/requests?session=%3Dcmd()&format=csv")
    assert exported.headers["content-type"].startswith("text/csv")
    lines = exported.text.splitlines()
    assert len(lines) == 2
    assert "'=cmd()" in lines[1]
    assert gateway.client.get("/v1/routing/requests?status=open&format=csv").text.strip() == "id"
