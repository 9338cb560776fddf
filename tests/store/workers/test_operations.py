"""What only workers ask of the ledger."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest

from gateway.accounts.budgets import Balance, Budget, Hold
from gateway.store import InsertRequest, SettleRequest
from gateway.store.connection import DatabaseFile
from gateway.store.process_lease import ProcessLease
from gateway.store.sqlite import SqliteStore
from gateway.store.workers import written_batches
from gateway.store.workers.operations import CloseOrphans, Probe, RemoveRequests, apply_one
from gateway.store.workers.written_batches import WrittenBatch
from tests.store.cases import NOW, begun, ended

HOLD = Hold("k1", Budget(10_000_000, "day"), (6_000_000,), NOW)


@pytest.fixture
def connection(ledger: SqliteStore) -> Iterator[apsw.Connection]:
    connection = DatabaseFile(ledger.path).open()
    yield connection
    connection.close()


def test_withdrawn_rows_were_never_there(connection: apsw.Connection, owner: ProcessLease, ledger: SqliteStore) -> None:
    """An open row of the worker goes, and what was held for it is free again; a settled row and one of another worker stay."""
    apply_one(connection, InsertRequest(begun("open"), [HOLD]), owner=owner, lease=owner)
    for request_id in ("settled", "other"):
        apply_one(connection, InsertRequest(begun(request_id)), owner=owner, lease=owner)
    apply_one(connection, SettleRequest(ended("settled")), owner=owner, lease=owner)
    connection.execute("UPDATE routing_metrics SET owner = 'another' WHERE request_id = 'other'")
    assert ledger.balance("k1", HOLD.period) == Balance(0, 6_000_000)

    withdrawal = RemoveRequests(owner.id, ("open", "settled", "other", "unknown"))
    assert apply_one(connection, withdrawal, owner=owner, lease=owner) is None
    assert apply_one(connection, withdrawal, owner=owner, lease=owner) is None

    assert {row["request_id"] for row in ledger.requests()} == {"settled", "other"}
    assert ledger.balance("k1", HOLD.period) == Balance(0, 0)


def test_orphans_are_closed_and_dead_workers_forgotten(
    connection: apsw.Connection, owner: ProcessLease, ledger: SqliteStore
) -> None:
    """Rows of a worker that has ended are closed, and its newest batch is forgotten; those of living workers stay."""
    dead = ProcessLease(ledger.path)
    apply_one(connection, InsertRequest(begun("alive")), owner=owner, lease=owner)
    apply_one(connection, InsertRequest(begun("orphan")), owner=dead, lease=owner)
    for worker in (owner.id, dead.id):
        written_batches.record(connection, worker, WrittenBatch(1))
    dead.release()

    assert apply_one(connection, CloseOrphans("2026-11-22T11:00:00Z"), owner=owner, lease=owner) == 1
    assert {row["request_id"]: row["status"] for row in ledger.requests()} == {"alive": "open", "orphan": "interrupted"}
    assert written_batches.newest(connection, dead.id).number == 0
    assert written_batches.newest(connection, owner.id).number == 1


def test_a_probe_writes(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A probe finds out whether the ledger accepts writes."""
    before = connection.total_changes()
    apply_one(connection, Probe(), owner=owner, lease=owner)
    assert connection.total_changes() == before + 1
