"""A row's end, however its request ends."""

from __future__ import annotations

import httpx2
import pytest

from tests.conftest import MakeGateway
from tests.upstreams import failing

CLAUDE = "claude/claude-haiku-5-5"


def broken(request: httpx2.Request) -> httpx2.Response:
    raise RuntimeError("a mistake of ours")


def test_a_mistake_of_ours(make_gateway: MakeGateway) -> None:
    """When our own code fails on a request the client gets a 500 without its words, and the row is closed."""
    gateway = make_gateway(broken)
    response = gateway.ask(model=CLAUDE)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "mistake" not in response.text
    (row,) = gateway.rows
    assert (row["status"], row["error_code"]) == ("error", "internal_error")


def test_nobody_was_called(make_gateway: MakeGateway) -> None:
    """A request that is refused because its provider asked for a rest costs nothing, and its attempt says so."""
    gateway = make_gateway(failing(429, "claude", headers={"retry-after": "60"}))
    assert gateway.ask(model=CLAUDE).status_code == 429
    assert gateway.ask(model=CLAUDE).status_code == 429
    (row,) = gateway.rows[1:]
    assert [attempt["status"] for attempt in row["attempts"]] == ["failed_free"]
    assert row["actual_cost"] == 0


@pytest.mark.parametrize("kept", [True, False])
def test_features_can_be_left_out(make_gateway: MakeGateway, kept: bool) -> None:
    """With `record_features: false` a row has none of the numbers that the router saw, and no outcome has them."""
    gateway = make_gateway(config=f"record_features: {str(kept).lower()}\n")
    assert gateway.ask().status_code == 200
    (row,) = gateway.rows
    assert bool(row["features"]) is kept
    assert all(bool(outcome.features) is kept for outcome in gateway.store.outcomes())


def test_observers_hear_of_every_row(make_gateway: MakeGateway) -> None:
    """Answered or refused, each committed row is counted once."""
    gateway = make_gateway(failing(503, "claude"))
    gateway.ask(model=CLAUDE)
    gateway.ask(model="gemini/gemini-3.8-flash")
    text = gateway.client.get("/metrics").text
    counted = [line for line in text.splitlines() if line.startswith("gateway_requests_total{")]
    assert [line.rpartition(" ")[2] for line in counted] == ["1.0", "1.0"]
