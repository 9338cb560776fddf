"""The ledger for commands that only read: nothing is created, changed or migrated, and no write access is needed.

A ledger that nobody has open has no write-ahead log beside it, and is then read as an immutable file: SQLite would otherwise
create the log's files, which needs a writable directory (https://sqlite.org/wal.html#readonly).
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store import Checkpoint
from gateway.store.connection import BusyRetry, DatabaseFile, ReaderPool, SqliteConnection
from gateway.store.migrations import MIGRATIONS, schema_of
from gateway.store.sqlite import SqliteStore

_READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
T = TypeVar("T")
PATIENCE = 5.0  # seconds to wait for a lock


class LedgerOutdated(LedgerUnavailable):
    """An older gateway wrote the file; the next one that serves brings it up to date."""


class ReadOnlySource(DatabaseFile):
    """Connections that SQLite itself refuses to write with."""

    def _connect(self) -> SqliteConnection:
        wal = self._beside("-wal")
        immutable = not wal.exists() or wal.stat().st_size == 0
        uri = f"{self.path.as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
        connection = SqliteConnection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        connection.set_busy_handler(BusyRetry(self.busy_timeout))
        return connection

    def locked(self) -> bool:
        """Whether another process keeps the writer's lock for longer than `busy_timeout`. Without a log nobody writes."""
        if not self._beside("-wal").exists():
            return False
        try:
            with closing(apsw.Connection(f"{self.path.as_uri()}?mode=rw", flags=_READ_WRITE)) as connection:
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # the log stays as it is
                connection.set_busy_handler(BusyRetry(self.busy_timeout))
                connection.execute("BEGIN IMMEDIATE; ROLLBACK")
        except apsw.Error:
            return True
        return False


class ReadOnlyStore(SqliteStore):
    """The reading half of `gateway.store.Store`; writes fail with LedgerUnavailable.

    Raises LedgerUnavailable when the file cannot be read, is no ledger, or has another schema than this gateway's.
    """

    def __init__(self, path: str | Path, *, busy_timeout: float = PATIENCE) -> None:
        self.path = Path(path).absolute()
        self._source: ReadOnlySource = ReadOnlySource(self.path, busy_timeout=busy_timeout)
        self._readers = ReaderPool(self._source)
        self._now = lambda: datetime.now(UTC)
        self._writer = _NoWriter(self.path)  # type: ignore[assignment]  # has what this class uses of a Writer
        with self._readers.reading() as connection:
            schema = schema_of(connection)
        if schema < len(MIGRATIONS):
            raise LedgerOutdated(
                f"The ledger {self.path} has schema {schema}, this gateway reads {len(MIGRATIONS)}: "
                "start `gateway serve` on it once, which brings it up to date."
            )

    def writable(self) -> bool:
        """False: not by this store."""
        return False

    def could_be_written(self) -> bool:
        """Whether a gateway of this user could write to the file now, found out without writing."""
        allowed = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK | os.X_OK)
        return allowed and not self._source.locked()

    def add_state(self, state: Checkpoint, body: bytes) -> Future[int]:
        """Does nothing: routing that only reads the ledger learns for itself alone."""
        return _done(0)

    def mark_unusable(self, number: int, problem: str) -> Future[None]:
        """Does nothing, likewise."""
        return _done(None)

    def close(self) -> None:
        self._readers.close()


def _done(result: T) -> Future[T]:
    done: Future[T] = Future()
    done.set_result(result)
    return done


class _NoWriter:
    def __init__(self, path: Path) -> None:
        self._path = path

    def submit(self, change: object) -> Future[Any]:
        refused: Future[Any] = Future()
        refused.set_exception(LedgerUnavailable(f"The ledger {self._path} is open to be read only."))
        return refused
