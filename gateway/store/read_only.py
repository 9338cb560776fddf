"""The ledger for commands that only read: it creates, changes and upgrades nothing, and needs no write access.

A ledger that no process has open has no write-ahead log. It is then read as an immutable file: otherwise SQLite would create the
files of the log, which needs a writable directory (https://sqlite.org/wal.html#readonly).
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store.connection import READ_TIMEOUT, BusyRetry, DatabaseFile, ReaderPool, SqliteConnection
from gateway.store.database_store import DatabaseStore
from gateway.store.migrations import SCHEMA, schema_version
from gateway.store.mutations import CommitCallback, InsertCheckpoint, RejectCheckpoint
from gateway.store.sqlite import SqliteStore

_READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
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

    def __init__(
        self, path: str | Path, *, busy_timeout: float = LOCK_TIMEOUT, read_timeout: float = READ_TIMEOUT
    ) -> None:
        self.path = Path(path).absolute()
        self._source: ReadOnlySource = ReadOnlySource(self.path, busy_timeout=busy_timeout)
        DatabaseStore.__init__(
            self,
            readers=ReaderPool(self._source, seconds=read_timeout),
            writer=NoWriter(str(self.path)),
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
        )
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

    def close(self) -> None:
        self._readers.close()


class NoWriter:
    """Refuses everything but checkpoints, which it drops."""

    last_commit = None

    def __init__(self, name: str) -> None:
        self._name = name

    def submit(self, operation: object) -> Future[Any]:
        answer: Future[Any] = Future()
        if isinstance(operation, InsertCheckpoint | RejectCheckpoint):
            answer.set_result(0 if isinstance(operation, InsertCheckpoint) else None)
        else:
            answer.set_exception(LedgerUnavailable(f"The ledger {self._name} is opened read-only."))
        return answer

    def write(self, operation: object, *, then: CommitCallback | None = None) -> asyncio.Future[Any]:
        return asyncio.wrap_future(self.submit(operation))

    def close(self) -> None:
        """Nothing is open."""
