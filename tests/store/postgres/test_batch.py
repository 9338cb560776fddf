"""Batches in PostgreSQL: the same results as one by one, and outcomes that are followed without a gap."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

from gateway.errors import Conflict
from gateway.records import Attempt
from gateway.store import InsertOutcome, InsertRequest, SettleRequest, UpsertAttempt
from gateway.store.batch import NotBatchable
from gateway.store.postgres import batch
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.postgres.leases import DatabaseLease
from gateway.store.writer import Operation
from tests.postgres import rows
from tests.store.cases import NOW, begun, ended
from tests.store.postgres.conftest import MakeStore
from tests.store.test_protocol import OUTCOME

RETRY = Attempt(2, "claude", "haiku", "settled")
AT = OUTCOME._replace(timestamp="2026-11-22T10:00:00Z")


def applied(store: Any, operations: list[Operation]) -> list[Any]:
    """The results of one batch."""
    lease = DatabaseLease()
    return list(
        store._writer.submit(lambda connection: batch.apply_batch(connection, operations, owner=lease)).result()
    )


def test_each_operation_has_its_result(url: str, make_store: MakeStore) -> None:
    """Inserts, settlements, attempts and outcomes of one batch are all written, and each has its own result."""
    store = make_store(now=lambda: NOW)
    results = applied(
        store,
        [
            InsertRequest(begun("a")),
            InsertOutcome(AT),
            SettleRequest(ended("a"), [AT._replace(quality=0.1)]),
            UpsertAttempt("a", RETRY),
            InsertOutcome(AT._replace(quality=0.2)),
            InsertRequest(begun("b")),
        ],
    )
    assert results == [0, 1, None, None, 3, 0]
    assert rows(url, "SELECT id, quality FROM outcomes ORDER BY id") == [(1, 0.9), (2, 0.1), (3, 0.2)]
    assert rows(url, "SELECT request_id, status FROM routing_metrics ORDER BY id") == [("a", "ok"), ("b", "open")]


@pytest.mark.parametrize(
    "unusual",
    [
        InsertRequest(begun("a")),
        InsertRequest(begun("b", attempts=(RETRY,))),
        SettleRequest(ended("unknown")),
        SettleRequest(ended("a", attempts=(Attempt(1, "gemini", "flash"),))),
        SettleRequest(ended("b")),
        SettleRequest(ended("closed")),
    ],
    ids=["known", "with attempts", "unknown", "reserved attempt", "unlisted attempt", "settled attempt"],
)
def test_unusual_operations_are_applied_one_by_one(make_store: MakeStore, unusual: Operation) -> None:
    """What is not begun once and settled once with all its attempts is not written among others."""
    store = make_store(now=lambda: NOW)
    for name in ("a", "b", "closed"):
        store.submit(InsertRequest(begun(name))).result()
    store.submit(UpsertAttempt("b", RETRY._replace(status="reserved"))).result()
    store.submit(UpsertAttempt("closed", Attempt(1, "gemini", "flash", "failed_free"))).result()
    with pytest.raises(NotBatchable):
        applied(store, [unusual])


def test_refused_operation_disturbs_no_other(make_store: MakeStore) -> None:
    """One operation of a batch that cannot be written fails alone."""
    store = make_store(now=lambda: NOW)
    entered, gate = threading.Event(), threading.Event()

    def wait(_: PostgresConnection) -> None:
        entered.set()
        gate.wait(10)

    first = store._writer.submit(wait)
    entered.wait(10)
    futures = [store.submit(InsertRequest(begun(name))) for name in ("a", "a", "b")]
    gate.set()
    first.result()
    assert [type(future.exception()) for future in futures] == [type(None), Conflict, type(None)]
    assert len(store.requests()) == 2


def test_follower_misses_no_outcome(make_store: MakeStore) -> None:
    """Ids of outcomes become visible in their order, whichever of several replicas commits first."""
    writers, reader = [make_store(now=lambda: NOW) for _ in range(2)], make_store(now=lambda: NOW)
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        while True:
            last = done.is_set()
            seen.extend(outcome.id for outcome in reader.outcomes(after=seen[-1] if seen else 0))
            if last:
                return

    thread = threading.Thread(target=follow)
    thread.start()
    futures: list[Future[Any]] = []
    for number in range(200):
        for place, store in enumerate(writers):
            futures.append(store.submit(InsertOutcome(AT)))
            futures.append(store.submit(SettleRequest(ended(f"{place} {number}"), [AT])))
    for future in futures:
        future.result()
    done.set()
    thread.join()
    assert len(seen) == 800
    assert seen == sorted(seen)


def test_outcomes_wait_for_a_transaction_with_a_lower_id(make_store: MakeStore) -> None:
    """A replica that has inserted an outcome and not committed it keeps others from committing a higher id."""
    slow, fast = make_store(now=lambda: NOW), make_store(now=lambda: NOW)
    found: list[bool] = []

    def insert_slowly(connection: PostgresConnection) -> None:
        batch.apply_batch(connection, [InsertOutcome(AT)], owner=DatabaseLease())
        future = fast.submit(InsertOutcome(AT))
        with pytest.raises(TimeoutError):
            future.result(0.2)
        found.append(fast.newest_outcome() == 0)

    slow._writer.submit(partial(insert_slowly)).result()
    fast.flush()
    assert (found, fast.newest_outcome()) == ([True], 2)
