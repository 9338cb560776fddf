"""Two kinds of SQLite in one process on one file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store import SettleRequest
from gateway.store.connection import DatabaseFile
from gateway.store.file_lock import WalGuard
from gateway.store.sqlite import SqliteStore
from tests.store.cases import ended


def seen_by_another(path: Path) -> list[str]:
    """The rows as Python's own SQLite sees them, in this process; its connection is closed afterwards."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT request_id FROM routing_metrics ORDER BY id")]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_foreign_connection_takes_nothing_away(ledger: SqliteStore, path: Path) -> None:
    """When another SQLite of this process opens and closes the ledger, rows written afterwards are seen by all."""
    for count, request_id in enumerate("abc", start=1):
        ledger.submit(SettleRequest(ended(request_id))).result()
        assert len(seen_by_another(path)) == count
        assert len(ledger.requests()) == count
    assert path.with_name("gateway.db-wal").exists()


def test_rows_of_another_sqlite_are_kept(ledger: SqliteStore, path: Path) -> None:
    """What another SQLite of this process wrote between our commits is there, and ours after it too."""
    ledger.submit(SettleRequest(ended("a"))).result()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE routing_metrics SET actual_cost_nano = 3000000000")
    ledger.submit(SettleRequest(ended("b"))).result()

    assert ledger.summary(days=30)["total_cost"] == pytest.approx(3.001)
    assert seen_by_another(path) == ["a", "b"]


def test_last_connection_folds_the_log_into_the_file(path: Path) -> None:
    """When the last of our connections closes, the log goes into the file, as ever."""
    first, second = DatabaseFile(path).open(), DatabaseFile(path).open()
    log = path.with_name("gateway.db-wal")
    first.close()
    assert log.exists()

    second.close()

    assert not log.exists()


def test_file_guard_is_shared_by_connections(path: Path) -> None:
    """However many connections a file has, it is guarded once, until the last has gone."""
    guards, before = WalGuard(), descriptors()
    DatabaseFile(path).open().close()
    with closing(DatabaseFile(path).open()):
        opened = descriptors()
        file = guards.acquire(path)
        guarded = descriptors()
        assert guards.acquire(path) == file
        assert (guarded - opened, descriptors() - guarded) == (2, 0)
        guards.release(file)
        assert descriptors() == guarded
        guards.release(file)
        assert descriptors() == opened
    assert descriptors() == before


def test_a_file_that_another_has_for_himself(path: Path) -> None:
    """A guard that cannot be had is refused, and leaves no descriptor open."""
    guards = WalGuard()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE something (x)")
        other.execute("BEGIN EXCLUSIVE")
        before = descriptors()

        with pytest.raises(BlockingIOError):
            guards.acquire(path)

        assert descriptors() == before
        other.execute("ROLLBACK")
        guards.release(guards.acquire(path))


def test_file_outside_wal_mode_is_guarded_too(path: Path) -> None:
    """A file that is not in WAL mode (yet) has no shared memory, and is guarded all the same."""
    path.touch()
    guards, before = WalGuard(), descriptors()

    file = guards.acquire(path)

    assert descriptors() == before + 1
    guards.release(file)
