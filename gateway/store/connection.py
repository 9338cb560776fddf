"""Connections to one SQLite file: opened with the same pragmas, pooled for readers, errors as sentences."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from gateway.errors import LedgerUnavailable
from gateway.store.migrations import migrate

Durability = Literal["normal", "full"]

# A ledger up to this size is checked whole at each start, in about a tenth of a second.
START_CHECK_BYTES = 100_000_000
_IDLE_READERS = 4
_LOCK_RETRY_SECONDS = 0.01

_ADVICE = {
    "SQLITE_FULL": "the disk is full: free some space, nothing is accepted until then",
    "SQLITE_BUSY": "another process holds its lock: stop that process or wait",
    "SQLITE_LOCKED": "another process holds its lock: stop that process or wait",
    "SQLITE_READONLY": "it cannot be written: make the file and its directory writable for this user",
    "SQLITE_CANTOPEN": "it cannot be opened: its directory has to exist and be writable",
    "SQLITE_NOTADB": "it is not an SQLite database: name another file in GATEWAY_DB",
    "SQLITE_CORRUPT": "it is damaged: move it away with its -wal and -shm files (a new one is then begun), or restore a copy",
    "SQLITE_IOERR": "the disk reports an error: look at the system's log and at the file system",
}


# Device and inode; None for no file.
Identity = tuple[int, int] | None


class LedgerDamaged(LedgerUnavailable):
    """The file is an SQLite database that fails its integrity check."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a ledger is and how it is opened; `busy_timeout` is in seconds."""

    path: Path
    durability: Durability = "normal"
    busy_timeout: float = 5.0

    def open(self) -> sqlite3.Connection:
        """A connection that writes, on the newest schema."""
        try:
            return self._open()
        except sqlite3.Error as error:
            raise self.unavailable(error) from error

    def open_reader(self) -> sqlite3.Connection:
        """A connection that cannot write, so it never holds the writer up."""
        connection = self._connect()
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = 1")
        return connection

    def check(self) -> None:
        """Read the whole file for damage; LedgerDamaged says what was found."""
        try:
            with closing(self._connect()) as connection:
                finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise self.unavailable(error) from error
        if finding != "ok":
            raise LedgerDamaged(f"The ledger {self.path} cannot be used: {_ADVICE['SQLITE_CORRUPT']} ({finding})")

    def check_at_start(self) -> None:
        """The same where it takes a moment only."""
        if self.path.stat().st_size <= START_CHECK_BYTES:
            self.check()

    def identity(self) -> Identity:
        """Which file the path names now. A connection keeps using a deleted or replaced file, so it must be compared."""
        return _identity(self.path)

    def wal(self) -> Identity:
        """Which write-ahead log lies beside the file now."""
        return _identity(self._beside("-wal"))

    def drop_wal(self, stale: Identity) -> None:
        """Remove the log that a deleted or replaced file left behind: SQLite would replay it into the file that is there now."""
        if stale is not None and self.wal() == stale:
            self._beside("-wal").unlink(missing_ok=True)
            self._beside("-shm").unlink(missing_ok=True)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        """What to tell the operator of a failure."""
        name = getattr(error, "sqlite_errorname", "")
        advice = next((words for prefix, words in _ADVICE.items() if name.startswith(prefix)), "the database refused")
        kind = LedgerDamaged if name.startswith("SQLITE_CORRUPT") else LedgerUnavailable
        return kind(f"The ledger {self.path} cannot be used: {advice} ({error})")

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _open(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            self._use_wal(connection)
            connection.execute("PRAGMA synchronous = " + ("FULL" if self.durability == "full" else "NORMAL"))
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self.busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        connection.execute("PRAGMA mmap_size = 0")
        return connection

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Two starters may change the mode at once; SQLite then reports busy without waiting, so it is tried again.

        Where it does wait, that takes one timeout, hence twice that in all.
        """
        deadline = time.monotonic() + 2 * self.busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                    raise
                time.sleep(_LOCK_RETRY_SECONDS)


def _identity(path: Path) -> Identity:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path, *, now: datetime) -> Path:
    """Move a damaged ledger and its side files out of the way, so that a new one can begin; where it is now. Nothing is deleted."""
    kept = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


class Readers:
    """Connections that only read, reused; one that looks at a deleted or replaced file is closed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._idle: deque[tuple[sqlite3.Connection, Identity]] = deque()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one report, which sees one moment of the ledger; LedgerUnavailable when it cannot be read."""
        try:
            connection, identity = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise self._source.unavailable(error) from error
        if len(self._idle) < _IDLE_READERS:
            self._idle.append((connection, identity))
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> tuple[sqlite3.Connection, Identity]:
        identity = self._source.identity()
        if identity is None:
            raise sqlite3.OperationalError("unable to open database file")
        while self._idle:
            connection, known = self._idle.pop()
            if known == identity:
                return connection, identity
            connection.close()
        return self._source.open_reader(), identity
