"""A ledger that is opened read-only."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.errors import LedgerUnavailable
from gateway.routing import RoutingEngine
from gateway.store import Checkpoint, InsertCheckpoint, InsertOutcome, RejectCheckpoint, SettleRequest, StoredOutcome
from gateway.store.migrations import SCHEMA
from gateway.store.read_only import LedgerOutdated, ReadOnlySource, ReadOnlyStore
from gateway.store.sqlite import SqliteStore
from tests.store.cases import ended


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a row in it."""
    path = tmp_path / "a ledger?.db"
    with closing(SqliteStore(path)) as store:
        store.submit(SettleRequest(ended())).result()
    return path


def test_it_reads_what_is_there(path: Path) -> None:
    """Rows are read, also those that another store has only in its write-ahead log."""
    with closing(SqliteStore(path)) as writer:
        writer.submit(SettleRequest(ended("r2"))).result()
        with closing(ReadOnlyStore(path)) as store:
            assert [row["request_id"] for row in store.requests()] == ["r2", "r1"]


def test_it_writes_nothing(path: Path) -> None:
    """Every write is refused with a sentence, and what routing would keep of its learning is dropped."""
    with closing(ReadOnlyStore(path)) as store:
        with pytest.raises(LedgerUnavailable, match="read-only"):
            store.submit(SettleRequest(ended("r2"))).result()
        assert store.submit(InsertCheckpoint(Checkpoint("saved", "f", learned_to=1, outcomes=1), b"")).result() == 0
        store.submit(RejectCheckpoint(1, "bad")).result()
        assert not store.writable()
        assert store.states() == []
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_sqlite_refuses_too(path: Path) -> None:
    """Its connections cannot write, whatever they are told."""
    with closing(ReadOnlySource(path).open_reader()) as connection:
        connection.execute("PRAGMA query_only = 0")
        with pytest.raises(apsw.ReadOnlyError):
            connection.execute("DELETE FROM feedback")


def test_routing_learns_from_it(path: Path) -> None:
    """Routing learns from more outcomes than lie between two states that are kept."""
    with closing(SqliteStore(path)) as writer:
        last = [
            writer.submit(InsertOutcome(StoredOutcome("gemini", "gemini-3.8-flash", "code", 0.5, quality=1.0)))
            for _ in range(1100)
        ]
        last[-1].result()
    with closing(ReadOnlyStore(path)) as store, RoutingEngine(path, store=store) as engine:
        engine.refresh()
        assert engine.route("Hello", auto_route=True).model


def test_older_ledger_is_left_unmigrated(path: Path) -> None:
    """An older ledger is left as it is, with a sentence that says what updates it; a newer one is refused as always."""
    for schema, refusal in ((SCHEMA - 1, "start `gateway serve`"), (SCHEMA + 1, "newer version")):
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(f"PRAGMA user_version = {schema}")
        with pytest.raises(LedgerUnavailable, match=refusal) as refused:
            ReadOnlyStore(path)
        assert isinstance(refused.value, LedgerOutdated) == (schema < SCHEMA)


def test_damage_is_found(path: Path) -> None:
    """The whole file can be checked without writing to it."""
    with closing(ReadOnlyStore(path)) as store:
        store.check()
        assert store.could_be_written()


def test_lock_of_another_process_is_waited_for(path: Path) -> None:
    """A lock that another process keeps is noticed within the patience."""
    with closing(SqliteStore(path)), closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(ReadOnlyStore(path, busy_timeout=0.01)) as store:
            assert not store.could_be_written()
        other.execute("ROLLBACK")
        with closing(ReadOnlyStore(path, busy_timeout=0.01)) as store:
            assert store.could_be_written()
