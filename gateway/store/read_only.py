"""The ledger for commands that only read: it creates, changes and upgrades nothing, and needs no write access.

A ledger that no process has open has no write-ahead log. It is then read as an immutable file: otherwise SQLite would create the
files of the log, which needs a writable directory (https://sqlite.org/wal.html#readonly).
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
from gateway.store.connection import BusyRetry, DatabaseFile, ReaderPool, SqliteConnection
from gateway.store.migrations import SCHEMA, schema_version
from gateway.store.mutations import InsertCheckpoint, Mutation, RejectCheckpoint
from gateway.store.sqlite import SqliteStore

_READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
T = TypeVar("T")
LOCK_TIMEOUT = 5.0  # seconds


class LedgerOutdated(LedgerUnavailable):
    """An older gateway wrote the file; `gateway serve` upgrades it."""


class ReadOnlySource(DatabaseFile):
    """Opens connections on which SQLite itself refuses every write."""

    def _connect(self) -> SqliteConnection:
        wal = self._beside("-wal")
        immutable = not wal.exists() or wal.stat().st_size == 0
        uri = f"{self.path.as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
        connection = SqliteConnection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        connection.set_busy_handler(BusyRetry(self.busy_timeout))
        return connection

    def locked(self) -> bool:
        """Whether another process holds the write lock for longer than `busy_timeout`. Without a log, no process has the file open."""
        if not self._beside("-wal").exists():
            return False
        try:
            with closing(apsw.Connection(f"{self.path.as_uri()}?mode=rw", flags=_READ_WRITE)) as connection:
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # leave the log as it is
                connection.set_busy_handler(BusyRetry(self.busy_timeout))
                connection.execute("BEGIN IMMEDIATE; ROLLBACK")
        except apsw.Error:
            return True
        return False


class ReadOnlyStore(SqliteStore):
    """A `gateway.store.Store` whose writes fail with LedgerUnavailable, except for checkpoints, which are dropped.

    Routing that only reads the ledger still learns in memory, and has no need to save that. Raises LedgerUnavailable when the file
    cannot be read, is not a ledger, or has a schema other than this gateway's.
    """

    def __init__(self, path: str | Path, *, busy_timeout: float = LOCK_TIMEOUT) -> None:
        self.path = Path(path).absolute()
        self._source: ReadOnlySource = ReadOnlySource(self.path, busy_timeout=busy_timeout)
        self._readers = ReaderPool(self._source)
        self._now = lambda: datetime.now(UTC)
        self._writer = _NoWriter(self.path)  # type: ignore[assignment]  # has what this class uses of a Writer
        with self._readers.reading() as connection:
            schema = schema_version(connection)
        if schema < SCHEMA:
            raise LedgerOutdated(
                f"The ledger {self.path} has schema {schema}, this gateway reads {SCHEMA}: "
                "start `gateway serve` on it once, which brings it up to date."
            )

    def writable(self) -> bool:
        """Always False."""
        return False

    def could_be_written(self) -> bool:
        """Whether a gateway of the same user could write to the file now. Does not write."""
        allowed = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK | os.X_OK)
        return allowed and not self._source.locked()

    def submit(self, mutation: Mutation[T]) -> Future[T]:
        if isinstance(mutation, InsertCheckpoint | RejectCheckpoint):
            dropped: Future[Any] = Future()
            dropped.set_result(0 if isinstance(mutation, InsertCheckpoint) else None)
            return dropped
        return super().submit(mutation)

    def close(self) -> None:
        self._readers.close()


class _NoWriter:
    def __init__(self, path: Path) -> None:
        self._path = path

    def submit(self, operation: object) -> Future[Any]:
        failed: Future[Any] = Future()
        failed.set_exception(LedgerUnavailable(f"The ledger {self._path} is opened read-only."))
        return failed
