"""The values of the pages of requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.api.dashboard.request_pages import request_detail, waterfall
from gateway.catalog import PriceTable
from gateway.errors import NotFound
from gateway.settings import load
from tests.conftest import KEYS, MakeGateway
from tests.upstreams import failing

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def prices() -> PriceTable:
    return load(KEYS).prices


def test_cost_is_tokens_times_rates(make_gateway: MakeGateway, prices: PriceTable) -> None:
    """The lines of the cost add up to the row's cost where the provider reports none of its own."""
    gateway = make_gateway()
    request_id = gateway.ask(model="claude/claude-sonnet-5-5").headers["x-request-id"]
    found = request_detail(gateway.store, request_id, prices=prices, now=NOW)
    assert sum(line["usd"] for line in found["cost_lines"]) == pytest.approx(found["row"]["actual_cost"])
    assert [line["kind"] for line in found["cost_lines"]] == ["input", "output"]


def test_unknown_prices_and_tokens_have_no_lines(make_gateway: MakeGateway, prices: PriceTable) -> None:
    """Where a price or the tokens are unknown nothing is made up; an unknown request is not found."""
    gateway = make_gateway(failing(503, "gemini", "claude", "openrouter"))
    gateway.ask(model="gemini/of-tomorrow")
    (row,) = gateway.rows
    found = request_detail(gateway.store, row["request_id"], prices=prices, now=NOW)
    assert found["cost_lines"] == []
    priced = {**row, "prompt_tokens": 1}
    assert priced["selected_model"] == "of-tomorrow"
    with pytest.raises(NotFound):
        request_detail(gateway.store, "nobody", prices=prices, now=NOW)


def test_attempts_follow_each_other() -> None:
    """Each bar begins where the one before ended; attempts of unknown duration are still visible."""
    first, second, third = waterfall([{"duration": 1.0}, {"duration": 3.0}, {"duration": None}])
    assert (first.x, first.width, second.x, second.width) == (0.0, 25.0, 25.0, 75.0)
    assert third.width > 0
    assert waterfall([]) == []


def test_a_session_has_its_sums(make_gateway: MakeGateway) -> None:
    """The list of a session says what all of it cost; the list of all requests has no such sum."""
    gateway = make_gateway()
    for _ in range(2):
        gateway.ask(routing={"session_id": "s1"})
    page = gateway.client.get("/dashboard/requests?session=s1").text
    assert "with its subagents: 2 requests" in page
    assert "with its subagents" not in gateway.client.get("/dashboard/requests").text
