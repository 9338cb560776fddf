"""The ledger of a worker. `tests/store/test_protocol.py` has what every store does."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import apsw
import pytest

from gateway.accounts.budgets import Budget, Hold
from gateway.errors import LedgerUnavailable
from gateway.store import InsertOutcome, InsertRequest, Mutation, SettleRequest, StoredOutcome
from gateway.store.ledger_tables import LedgerTable
from gateway.store.sqlite import SqliteStore
from gateway.store.workers import WorkerStore
from tests.store.cases import NOW, begun, ended
from tests.store.workers.running import RunningWriter

HOLD = Hold("k1", Budget(10_000_000, "day"), (6_000_000,), NOW)
OUTCOME = InsertOutcome(StoredOutcome("gemini", "flash", "code", 0.2))


def test_workers_share_one_ledger(store: WorkerStore, writer: RunningWriter, ledger: SqliteStore) -> None:
    """What one worker writes, the other reads; a limit holds for both together."""
    with closing(WorkerStore(writer.ledger, writer=writer.path, now=lambda: NOW)) as other:
        store.submit(InsertRequest(begun("a"), [HOLD])).result()
        assert other.submit(InsertRequest(begun("b"), [HOLD])).exception() is not None
        other.submit(OUTCOME).result()
        other.flush()
        assert (store.newest_outcome(), store.balance("k1", HOLD.period).held_nano) == (1, 6_000_000)
        store.submit(SettleRequest(ended("a"))).result()
        assert other.balance("k1", HOLD.period).used_nano == 1_000_000
    assert [row["status"] for row in ledger.requests()] == ["ok"]


def test_a_living_worker_keeps_its_rows(writer: RunningWriter, store: WorkerStore) -> None:
    """Open rows of a worker that runs stay open, those of one that has ended are closed by another."""
    other = WorkerStore(writer.ledger, writer=writer.path, now=lambda: NOW)
    other.submit(InsertRequest(begun("a"))).result()
    assert store.close_orphans(now="2026-11-22T11:00:00Z") == 0
    other.close()
    assert store.close_orphans(now="2026-11-22T11:00:00Z") == 1


def test_writes_go_on_after_the_process_was_replaced(store: WorkerStore, writer: RunningWriter) -> None:
    """What is written while there is no process waits for the next one."""
    store.submit(OUTCOME).result()
    writer.stop()
    waiting = store.submit(OUTCOME)
    writer.start()
    assert waiting.result(10) == 2
    assert store.writable()


def test_without_a_process_nothing_is_written(writer: RunningWriter) -> None:
    """When the process stays away, changes fail, reports are served, and the ledger counts as not writable."""
    with closing(WorkerStore(writer.ledger, writer=writer.path, wait_seconds=0.05, now=lambda: NOW)) as store:
        writer.stop()
        assert isinstance(store.submit(OUTCOME).exception(), LedgerUnavailable)
        assert not store.writable()
        assert store.requests() == []


def test_an_operation_that_cannot_be_sent_fails_alone(store: WorkerStore) -> None:
    """A change that no message can hold fails by itself, and the others are written."""

    class Unknown(Mutation[None]):
        """A mutation that the ledger does not know."""

    futures = [store.submit(each) for each in (OUTCOME, Unknown(), OUTCOME)]
    assert isinstance(futures[1].exception(), TypeError | RuntimeError)
    assert [futures[0].result(), futures[2].result()] == [1, 2]


def test_work_on_whole_tables_is_done_here(store: WorkerStore) -> None:
    """Work that is a function of the connection needs no process; its own errors are raised, those of the file are the ledger's."""
    table = LedgerTable("refusals", {"hour": "TEXT", "cause": "TEXT", "key_id": "TEXT", "count": "INTEGER"}, ("hour",))
    store.insert_rows(table, [("2026-11-29T10", "rate_limited", "", 3)])
    assert store.refusals(since=None, until=None, key_id=None)[0]["requests"] == 3

    def failing(connection: Any) -> None:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        store.apply(failing)
    with pytest.raises(LedgerUnavailable), closing(apsw.Connection(str(store.path))):
        store.apply(lambda connection: connection.execute("SELECT * FROM nothing"))
