"""A request's transaction on a ledger of its own, without a gateway around it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.catalog import ModelKey
from gateway.catalog.packaged import load_prices
from gateway.completion import ChatRequest
from gateway.dialects.chat_completions import parse_chat_request
from gateway.proxy.outcomes import OutcomeCollector
from gateway.proxy.services import LedgerServices
from gateway.proxy.settlement import CostCalculator, new_record
from gateway.proxy.settlement_retry import SettlementRetryQueue
from gateway.proxy.transaction import RequestTransaction
from gateway.resilience import Candidate
from gateway.routing import Caller, Plan, Ranking, RoutingContext, RoutingMode
from gateway.store import StoredOutcome
from gateway.store.sqlite import SqliteStore

HAIKU = Candidate("claude", "claude-haiku-5-5")
AT = datetime(2026, 11, 28, tzinfo=UTC)


class NoOutcomes(OutcomeCollector):
    """Learns nothing."""

    def __init__(self) -> None:
        pass

    def on_request(self, *_: Any) -> None:
        pass

    def on_settled(self, *_: Any, **__: Any) -> Sequence[StoredOutcome]:
        return ()


def chat_request(*, stream: bool = False) -> ChatRequest:
    body = b'{"model": "auto", "stream": %b, "messages": [{"role": "user", "content": "2+2?"}]}'
    return parse_chat_request(body % (b"true" if stream else b"false"))


def transaction_on(
    store: SqliteStore, *, outcomes: OutcomeCollector | None = None, stream: bool = False
) -> RequestTransaction:
    """The transaction of request `req_1`, for which only Haiku is a candidate. It has not begun."""
    key = ModelKey(HAIKU.provider, HAIKU.model)
    ranking = Ranking(key, "hybrid", "low", "It will do.")
    plan = Plan(ranking, (HAIKU,), key, RoutingContext(prompt="2+2?"), RoutingMode.AUTO)
    return transaction_for(plan, store, outcomes=outcomes, stream=stream)


def transaction_for(
    plan: Plan, store: SqliteStore, *, outcomes: OutcomeCollector | None = None, stream: bool = False
) -> RequestTransaction:
    """The transaction of request `req_1` with this plan. It has not begun."""
    request = chat_request(stream=stream)
    services = LedgerServices(
        store=store,
        cost_calculator=CostCalculator(load_prices()),
        clock=time.monotonic,
        now=lambda: AT,
        outcome_collector=outcomes or NoOutcomes(),
        settlement_retries=SettlementRetryQueue(store),
    )
    record = new_record(
        plan, request, endpoint="chat_completions", request_id="req_1", at=AT, caller=Caller(), features=True
    )
    return RequestTransaction(plan, request, record, services=services, at=AT)
