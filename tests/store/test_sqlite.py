"""The store as its callers see it."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from gateway.errors import Conflict, LedgerUnavailable
from gateway.records import Attempt, Feedback
from gateway.store import InsertRequest, SettleRequest, Store, StoredOutcome, UpsertAttempt
from gateway.store.connection import LedgerDamaged
from gateway.store.sqlite import SqliteStore
from tests.store.cases import begun, ended
from tests.store.conftest import MakeLedger
from tests.store.test_connection import damaged

OUTCOME = StoredOutcome("gemini", "flash", "code", 0.2, quality=0.9)


def test_request_life_shows_in_every_report(ledger: SqliteStore) -> None:
    """A request is begun, tried, settled, rated and then found in every report."""
    store: Store = ledger
    store.begin(begun()).result()
    store.attempt("r1", Attempt(1, "gemini", "flash", "failed_free", cost=Decimal(0))).result()
    store.settle(ended()).result()
    store.add_feedback(Feedback("r1", 1.0, "2026-11-22T10:01:00Z")).result()

    row = store.request("r1")
    assert row is not None
    assert (row["status"], row["attempts"][0]["status"]) == ("ok", "failed_free")
    assert store.summary(days=30)["total_requests"] == 1
    assert store.confidence() == {"high": 1}
    assert store.patterns()[0]["count"] == 1
    assert store.timeline(days=1)[0]["bucket"] == "2026-11-22T10"
    assert [found["request_id"] for found in store.requests(filters={"status": "ok"})] == ["r1"]
    assert store.requests(before=row["id"]) == []


def test_outcome_future_holds_its_id(ledger: SqliteStore) -> None:
    """An outcome's future holds its id; its time is now unless it says otherwise."""
    first = ledger.add_outcome(OUTCOME).result()
    second = ledger.add_outcome(StoredOutcome("p", "m", "code", 0.1, timestamp="2026-01-01T00:00:00Z")).result()

    assert [outcome.id for outcome in ledger.outcomes()] == [first, second]
    assert ledger.newest_outcome() == second
    assert ledger.outcomes()[0].timestamp == "2026-11-22T10:30:00.000+00:00"
    assert ledger.outcomes(after=first)[0].timestamp == "2026-01-01T00:00:00Z"


def test_full_durability_still_writes_rows(make_ledger: MakeLedger, path: Path) -> None:
    """With `full` durability rows are written all the same."""
    make_ledger(durability="full").settle(ended()).result()

    with closing(apsw.Connection(str(path))) as connection:
        assert connection.execute("SELECT count(*) FROM routing_metrics").fetchone() == (1,)


def test_two_stores_on_one_file(make_ledger: MakeLedger) -> None:
    """Stores that share a file all write to it and see each other's rows; neither closes the other's open ones."""
    first, second = make_ledger(), make_ledger()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: (first, second)[n % 2].begin(begun(str(n))).result(), range(40)))

    assert len(first.requests(limit=100)) == len(second.requests(limit=100)) == 40
    assert second.close_orphans(now="2026-11-22T11:00:00Z") == 0


def test_rows_of_a_closed_store_are_recovered(make_ledger: MakeLedger) -> None:
    """What a store left open when it was closed is interrupted by the next."""
    first = make_ledger()
    first.begin(begun()).result()
    first.close()

    second = make_ledger()

    assert second.close_orphans(now="2026-11-22T11:00:00Z") == 1
    assert second.summary(days=30)["error_count"] == 1


def test_readers_do_not_wait_for_the_writer(make_ledger: MakeLedger, path: Path) -> None:
    """While another process holds the write lock, reports answer and new rows are refused."""
    ledger = make_ledger(busy_timeout=0.05)
    ledger.settle(ended()).result()
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")

        assert ledger.summary(days=30)["total_requests"] == 1
        assert isinstance(ledger.begin(begun("r2")).exception(), LedgerUnavailable)
        assert not ledger.writable()

    assert ledger.writable()


def test_reports_during_writes(ledger: SqliteStore) -> None:
    """A report sees whole commits, however much is written meanwhile."""
    futures = [ledger.settle(ended(str(number))) for number in range(300)]
    seen = [ledger.summary(days=30) for _ in range(20)]
    for future in futures:
        future.result()

    assert all(found["total_cost"] == pytest.approx(found["total_requests"] / 1000) for found in seen)
    assert ledger.summary(days=30)["total_requests"] == 300


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


def test_sound_ledger_passes_the_check(ledger: SqliteStore) -> None:
    """A sound ledger passes the whole check."""
    ledger.settle(ended()).result()

    ledger.check()


def test_memory_ledger_ends_with_its_store() -> None:
    """`:memory:` is a ledger that goes with its store."""
    ledger = SqliteStore(":memory:")
    ledger.settle(ended()).result()
    assert ledger.request("r1") is not None
    assert ledger.path.exists()

    ledger.close()

    assert not ledger.path.parent.exists()


def test_closed_store_refuses_rows(ledger: SqliteStore) -> None:
    """A closed store takes no rows; closing twice is harmless."""
    ledger.close()
    ledger.close()

    assert isinstance(ledger.settle(ended()).exception(), LedgerUnavailable)


def test_a_dropped_store_leaves_no_thread(path: Path) -> None:
    """A store that nobody closed writes what it accepted and leaves no thread behind."""
    before = set(threading.enumerate())
    ledger = SqliteStore(path)
    gone = weakref.ref(ledger)
    future = ledger.settle(ended())
    (thread,) = set(threading.enumerate()) - before
    del ledger
    gc.collect()
    thread.join(10)

    assert gone() is None
    assert not thread.is_alive()
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
        ledger.add_outcome(OUTCOME).result()

        assert ledger.outcomes()[0].timestamp >= "2026"


async def test_awaited_mutation_notifies_its_listener_or_raises(ledger: SqliteStore) -> None:
    """In an event loop a change is awaited as it is; the listener hears of its commit, and a refusal is raised."""
    heard: list[BaseException | None] = []

    assert await ledger.write(InsertRequest(begun())) == 0
    await ledger.write(UpsertAttempt("r1", Attempt(2, "claude", "haiku")))
    with pytest.raises(Conflict):
        await ledger.write(InsertRequest(begun()))
    await ledger.write(SettleRequest(ended()), then=heard.append)

    assert heard == [None]
    assert [row["status"] for row in ledger.requests()] == ["ok"]
