"""A row's end, however its request ends."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.catalog import ModelKey
from gateway.catalog.packaged import load_prices
from gateway.completion import Usage
from gateway.dialects.chat_completions import parse_chat_request
from gateway.proxy.outcomes import OutcomeCollector
from gateway.proxy.settlement import CostCalculator, new_record
from gateway.proxy.settlement_retry import SettlementRetryQueue
from gateway.proxy.transaction import LedgerServices, RequestTransaction
from gateway.resilience import Candidate
from gateway.routing import AnswerFacts, Caller, Plan, Ranking, RoutingContext, RoutingMode
from gateway.store.sqlite import SqliteStore
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


class Distracted(OutcomeCollector):
    """Learns nothing, and fails at that."""

    def __init__(self) -> None:
        pass

    def on_request(self, *_: Any) -> None:
        pass

    def on_settled(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a mistake of ours")


def test_a_mistake_in_learning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When nothing can be learned from a row for a mistake of ours, the row is settled and the answer given all the same."""
    store = SqliteStore(tmp_path / "gateway.db")
    haiku = Candidate("claude", "claude-haiku-5-5")
    key = ModelKey(haiku.provider, haiku.model)
    ranking = Ranking(key, "hybrid", "low", "It will do.")
    plan = Plan(ranking, (haiku,), key, RoutingContext(prompt="2+2?"), RoutingMode.AUTO)
    request = parse_chat_request(b'{"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]}')
    at = datetime(2026, 11, 28, tzinfo=UTC)
    services = LedgerServices(
        store=store,
        cost_calculator=CostCalculator(load_prices()),
        clock=time.monotonic,
        now=lambda: at,
        outcome_collector=Distracted(),
        settlement_retries=SettlementRetryQueue(store),
    )
    record = new_record(plan, request, request_id="req_1", at=at, caller=Caller(), features=True)

    async def served() -> str:
        transaction = RequestTransaction(plan, request, record, services=services, at=at)
        await transaction.begin()
        await transaction.attempt(haiku)
        return (
            await transaction.completed(
                Usage(prompt_tokens=9, completion_tokens=1), answer_chars=1, answer=AnswerFacts()
            )
        ).status

    assert asyncio.run(served()) == "ok"
    assert (store.request("req_1") or {})["status"] == "ok"
    assert "nothing is learned from req_1" in caplog.text
    store.close()
