"""Requests that are refused before they are routed."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, cast

from gateway.api.refusals import RefusalCounter
from gateway.errors import InvalidKey, LedgerUnavailable, RateLimited
from gateway.store import AddRefusals, Store
from gateway.store.sqlite import SqliteStore
from tests.conftest import MakeGateway

NOW = datetime(2026, 11, 29, 12, 5, tzinfo=UTC)


class AwayStore:
    """A ledger that cannot be written until it has a `store`."""

    store: SqliteStore | None = None

    def submit(self, mutation: AddRefusals) -> Future[Any]:
        if self.store is not None:
            return self.store.submit(mutation)
        failed: Future[Any] = Future()
        failed.set_exception(LedgerUnavailable("away"))
        return failed


def test_refusals_are_added_up_by_hour_cause_and_key() -> None:
    """Each flush adds to what the ledger has; without refusals nothing is written."""
    store = SqliteStore(":memory:")
    counter = RefusalCounter(store, now=lambda: NOW)
    counter.flush()
    for _ in range(2):
        counter.count(InvalidKey("No."), key_id=None)
        counter.count(RateLimited("Slow."), key_id="k1")
        counter.flush()
    found = store.refusals(since=None, until=None, key_id=None)
    store.close()
    assert sorted((row["key_id"], row["requests"]) for row in found) == [("", 2), ("k1", 2)]
    assert {row["cause"] for row in found} == {error.code or error.type for error in (InvalidKey(""), RateLimited(""))}


def test_refusals_wait_while_the_ledger_is_away() -> None:
    """What could not be written is written later, and memory stays bounded."""
    ledger = AwayStore()
    away = RefusalCounter(cast(Store, ledger), now=lambda: NOW, most=1)
    for key_id in ("k1", "k1", "k2"):
        away.count(RateLimited("Slow."), key_id=key_id)
    away.flush()
    away.count(RateLimited("Slow."), key_id="k1")
    store = ledger.store = SqliteStore(":memory:")
    away.flush()
    found = store.refusals(since=None, until=None, key_id=None)
    store.close()
    assert [(row["key_id"], row["requests"]) for row in found] == [("k1", 3)]


def test_the_report_names_refused_requests(make_gateway: MakeGateway) -> None:
    """A request that is refused before routing has no row; the report counts it with its cause."""
    gateway = make_gateway()
    assert gateway.client.post("/v1/chat/completions", json={"model": "auto"}).status_code == 400
    report = gateway.client.get("/v1/routing/report").json()
    assert (report["requests"], report["refused"]) == (0, 1)
