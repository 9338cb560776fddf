"""The SQLite store: files, threads and clocks; `test_protocol.py` has what every store does."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import (
    InsertOutcome,
    InsertRequest,
    Mutation,
    SettleRequest,
    StoredOutcome,
)
from gateway.store.connection import LedgerDamaged
from gateway.store.sqlite import SqliteStore
from tests.store.cases import begun, ended
from tests.store.conftest import MakeLedger
from tests.store.test_connection import damaged


def test_full_durability_still_writes_rows(make_ledger: MakeLedger, path: Path) -> None:
    """With `full` durability rows are written all the same."""
    make_ledger(durability="full").submit(SettleRequest(ended())).result()

    with closing(apsw.Connection(str(path))) as connection:
        assert connection.execute("SELECT count(*) FROM routing_metrics").fetchone() == (1,)


def test_two_stores_on_one_file(make_ledger: MakeLedger) -> None:
    """Stores that share a file all write to it and see each other's rows; neither closes the other's open ones."""
    first, second = make_ledger(), make_ledger()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: (first, second)[n % 2].submit(InsertRequest(begun(str(n)))).result(), range(40)))

    assert len(first.requests(limit=100)) == len(second.requests(limit=100)) == 40
    assert second.close_orphans(now="2026-11-22T11:00:00Z") == 0


def test_rows_of_a_closed_store_are_recovered(make_ledger: MakeLedger) -> None:
    """What a store left open when it was closed is interrupted by the next."""
    first = make_ledger()
    first.submit(InsertRequest(begun())).result()
    first.close()

    second = make_ledger()

    assert second.close_orphans(now="2026-11-22T11:00:00Z") == 1
    assert second.summary(days=30)["error_count"] == 1


def test_readers_do_not_wait_for_the_writer(make_ledger: MakeLedger, path: Path) -> None:
    """While another process holds the write lock, reports answer and new rows are refused."""
    ledger = make_ledger(busy_timeout=0.05)
    ledger.submit(SettleRequest(ended())).result()
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")

        assert ledger.summary(days=30)["total_requests"] == 1
        assert isinstance(ledger.submit(InsertRequest(begun("r2"))).exception(), LedgerUnavailable)
        assert not ledger.writable()

    assert ledger.writable()


def test_writable_is_remembered_for_a_moment(make_ledger: MakeLedger, path: Path) -> None:
    """A fresh commit proves that the ledger can be written; after a second it is tried again."""
    time = [0.0]
    ledger = make_ledger(busy_timeout=0.05, clock=lambda: time[0])
    assert ledger.writable()
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")

        assert ledger.writable()
        time[0] = 1.5
        assert not ledger.writable()


def test_damaged_ledger_is_refused_at_start(path: Path) -> None:
    """A damaged ledger does not start, and stays where it is."""
    damaged(path)

    with pytest.raises(LedgerDamaged):
        SqliteStore(path)

    assert path.exists()


def test_memory_ledger_ends_with_its_store() -> None:
    """`:memory:` is a ledger that goes with its store."""
    ledger = SqliteStore(":memory:")
    ledger.submit(SettleRequest(ended())).result()
    assert ledger.request("r1") is not None
    assert ledger.path.exists()

    ledger.close()

    assert not ledger.path.parent.exists()


def test_a_dropped_store_leaves_no_thread(path: Path) -> None:
    """A store that nobody closed writes what it accepted and leaves no thread behind: neither the writer's nor the checkpoints'."""
    before = set(threading.enumerate())
    ledger = SqliteStore(path)
    gone = weakref.ref(ledger)
    assert ledger.submit(SettleRequest(ended())).result() is None
    threads = set(threading.enumerate()) - before
    future = ledger.submit(SettleRequest(ended("r2")))
    del ledger
    gc.collect()
    for thread in threads:
        thread.join(10)

    assert gone() is None
    assert len(threads) == 2
    assert not any(thread.is_alive() for thread in threads)
    assert future.result() is None


def test_a_dropped_store_leaves_no_file() -> None:
    """A temporary ledger that was only read goes with its store."""
    ledger = SqliteStore(":memory:")
    directory = ledger.path.parent
    assert ledger.requests() == []
    del ledger
    gc.collect()

    assert not directory.exists()


def test_default_clock_is_the_time_of_day(path: Path) -> None:
    """Without a clock given, the time of day is used."""
    with closing(SqliteStore(path)) as ledger:
        ledger.submit(InsertOutcome(StoredOutcome("gemini", "flash", "code", 0.2))).result()

        assert ledger.outcomes()[0].timestamp >= "2026"


def test_mutation_of_another_store(ledger: SqliteStore) -> None:
    """A mutation that this store does not know fails and disturbs no other."""
    unknown = ledger.submit(Mutation[None]())

    ledger.submit(SettleRequest(ended())).result()
    assert isinstance(unknown.exception(), TypeError)
