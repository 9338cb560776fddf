"""Connections to one SQLite file: opened with the same pragmas, pooled for readers, errors as sentences."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store.file_lock import File, WalGuard
from gateway.store.migrations import migrate

Durability = Literal["normal", "full"]

# A ledger up to this size is checked whole at each start, in about a tenth of a second.
START_CHECK_BYTES = 100_000_000
# apsw puts a statement back after each row of an `executemany`, every time in the place of the oldest: too few places, and
# statements that run once a commit are compiled for each.
_STATEMENTS = 1_000
_IDLE_READERS = 4
_LOCK_RETRY_SECONDS = 0.01
_PAUSE = 0.001  # seconds between two looks at another writer's lock
# A report of a million rows takes a fifth of a second; one that takes this long is ended, so that reports cannot pile up.
READ_SECONDS = 10.0
_STEPS = 100_000  # of SQLite's virtual machine between two looks at the clock: some milliseconds

_LOCKED = "another process holds its lock: stop that process or wait"
_NOT_THERE = "it cannot be opened: its directory has to exist and be writable"
_DAMAGED = "it is damaged: move it away with its -wal and -shm files (a new one is then begun), or restore a copy"
_ADVICE: dict[type[Exception], str] = {
    apsw.FullError: "the disk is full: free some space, nothing is accepted until then",
    apsw.BusyError: _LOCKED,
    apsw.LockedError: _LOCKED,
    BlockingIOError: _LOCKED,
    apsw.ReadOnlyError: "it cannot be written: make the file and its directory writable for this user",
    apsw.CantOpenError: _NOT_THERE,
    FileNotFoundError: _NOT_THERE,
    apsw.NotADBError: "it is not an SQLite database: name another file in GATEWAY_DB",
    apsw.CorruptError: _DAMAGED,
    apsw.InterruptError: "the report took too long: ask for fewer days or rows",
    apsw.IOError: "the disk reports an error: look at the system's log and at the file system",
}

# For the process, since that is what POSIX locks belong to.
_GUARDS = WalGuard()

# None for no file.
FileId = File | None


class LedgerDamaged(LedgerUnavailable):
    """The file is an SQLite database that fails its integrity check."""


class SqliteConnection(apsw.Connection):
    """A connection of ours; see `gateway.store.file_lock` for what it does against those of others in this process."""

    _guarded: File | None = None

    def guard(self) -> None:
        self._guarded = _GUARDS.acquire(Path(self.filename))

    def close(self, force: bool = False) -> None:
        """Also where the disk fails and nothing can be tidied up: SQLite lets go of the file all the same."""
        guarded, self._guarded = self._guarded, None
        if guarded is not None:
            _GUARDS.release(guarded)
        with suppress(apsw.Error):
            super().close(force)


class BusyRetry:
    """How a connection waits for another writer's lock: so many seconds at most, looking again every millisecond.

    SQLite's own waits grow to 100 ms. Another process of the gateway holds the lock for a millisecond or two, and takes it again
    soon after, so that who sleeps for longer hardly ever finds it free.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._until = 0.0

    def __call__(self, tries: int) -> bool:
        """SQLite asks after each try, from 0 on: whether to try again."""
        now = self._clock()
        if tries == 0:
            self._until = now + self._seconds
        if now >= self._until:
            return False
        self._sleep(_PAUSE)
        return True


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """Where a ledger is and how it is opened; `busy_timeout` is in seconds."""

    path: Path
    durability: Durability = "normal"
    busy_timeout: float = 5.0

    def open(self) -> SqliteConnection:
        """A connection that writes, on the newest schema."""
        try:
            return self._opened(self._prepare)
        except (apsw.Error, OSError) as error:
            raise self.unavailable(error) from error

    def open_reader(self) -> SqliteConnection:
        """A connection that cannot write, so it never holds the writer up."""
        return self._opened(_only_read)

    def check(self) -> None:
        """Read the whole file for damage; LedgerDamaged says what was found."""
        try:
            with closing(self._connect()) as connection:
                finding = connection.execute("PRAGMA quick_check(1)").get
        except apsw.Error as error:
            raise self.unavailable(error) from error
        if finding != "ok":
            raise LedgerDamaged(f"The ledger {self.path} cannot be used: {_DAMAGED} ({finding})")

    def check_at_start(self) -> None:
        """The same where it takes a moment only."""
        if self.path.stat().st_size <= START_CHECK_BYTES:
            self.check()

    def identity(self) -> FileId:
        """Which file the path names now. A connection keeps using a deleted or replaced file, so it must be compared."""
        return _identity(self.path)

    def wal(self) -> FileId:
        """Which write-ahead log lies beside the file now."""
        return _identity(self._beside("-wal"))

    def drop_wal(self, stale: FileId) -> None:
        """Remove the log that a deleted or replaced file left behind: SQLite would replay it into the file that is there now."""
        if stale is not None and self.wal() == stale:
            self._beside("-wal").unlink(missing_ok=True)
            self._beside("-shm").unlink(missing_ok=True)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        """What to tell the operator of a failure."""
        advice = _ADVICE.get(type(error), "the database refused")
        kind = LedgerDamaged if isinstance(error, apsw.CorruptError) else LedgerUnavailable
        return kind(f"The ledger {self.path} cannot be used: {advice} ({error})")

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _opened(self, prepare: Callable[[SqliteConnection], None]) -> SqliteConnection:
        connection = self._connect()
        try:
            prepare(connection)
            connection.guard()
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> SqliteConnection:
        connection = SqliteConnection(str(self.path), statementcachesize=_STATEMENTS)
        connection.set_busy_handler(BusyRetry(self.busy_timeout))
        connection.execute("PRAGMA mmap_size = 0")
        return connection

    def _prepare(self, connection: SqliteConnection) -> None:
        self._use_wal(connection)
        connection.execute("PRAGMA synchronous = " + ("FULL" if self.durability == "full" else "NORMAL"))
        migrate(connection)

    def _use_wal(self, connection: SqliteConnection) -> None:
        """Two starters may change the mode at once; SQLite then reports busy without waiting, so it is tried again.

        Where it does wait, that takes one timeout, hence twice that in all.
        """
        deadline = time.monotonic() + 2 * self.busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except apsw.BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOCK_RETRY_SECONDS)


def _only_read(connection: SqliteConnection) -> None:
    connection.execute("PRAGMA query_only = 1")
    connection.execute("SELECT count(*) FROM sqlite_schema")


def _identity(path: Path) -> FileId:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def quarantine(path: Path, *, now: datetime) -> Path:
    """Move a damaged ledger and its side files out of the way, so that a new one can begin; where it is now. Nothing is deleted."""
    kept = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


class ReaderPool:
    """Connections that only read, reused; one that looks at a deleted or replaced file is closed."""

    def __init__(self, source: DatabaseFile, *, seconds: float = READ_SECONDS) -> None:
        self._source = source
        self._seconds = seconds
        self._idle: deque[tuple[SqliteConnection, FileId]] = deque()

    @contextmanager
    def reading(self) -> Iterator[SqliteConnection]:
        """A connection for one report, which sees one moment of the ledger; LedgerUnavailable when it cannot be read in time."""
        try:
            connection, identity = self._take()
            until = time.monotonic() + self._seconds
            try:
                connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
        except (apsw.Error, OSError) as error:
            raise self._source.unavailable(error) from error
        if len(self._idle) < _IDLE_READERS:
            self._idle.append((connection, identity))
        else:
            connection.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> tuple[SqliteConnection, FileId]:
        identity = self._source.identity()
        if identity is None:
            raise apsw.CantOpenError("unable to open database file")
        while self._idle:
            connection, known = self._idle.pop()
            if known == identity:
                return connection, identity
            connection.close()
        return self._source.open_reader(), identity
