"""Connections to one SQLite file: pragmas, integrity check, reader pool, and error messages for operators."""

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

# At each start, a ledger up to this size is checked completely, in about a tenth of a second.
START_CHECK_BYTES = 100_000_000
# For each row of an `executemany`, apsw returns the statement to its cache and evicts the oldest entry. With a small cache,
# statements that run once per commit would be compiled every time.
_CACHED_STATEMENTS = 1_000
_IDLE_READERS = 4
_LOCK_RETRY_SECONDS = 0.01
_BUSY_RETRY_SECONDS = 0.001
# A checkpoint that truncates the log holds the write lock while it waits for readers, so commits wait with it.
_CHECKPOINT_BUSY_SECONDS = 0.02
# A report on a million rows takes 0.2 s. A report is interrupted after this time, so that slow reports cannot accumulate.
READ_TIMEOUT = 10.0
_PROGRESS_STEPS = 100_000  # virtual machine steps between two checks of the read timeout: a few milliseconds

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

# One per process, like the POSIX locks it protects.
_GUARDS = WalGuard()

# Device and inode; None when there is no file.
FileId = File | None


class LedgerDamaged(LedgerUnavailable):
    """The file is an SQLite database that fails its integrity check."""


class SqliteConnection(apsw.Connection):
    """A connection that protects its file from other SQLite libraries in this process (`gateway.store.file_lock`)."""

    _guarded: File | None = None

    def guard(self) -> None:
        self._guarded = _GUARDS.acquire(Path(self.filename))

    def close(self, force: bool = False) -> None:
        """Never fails: SQLite releases the file even if the disk fails and it cannot clean up."""
        guarded, self._guarded = self._guarded, None
        if guarded is not None:
            _GUARDS.release(guarded)
        with suppress(apsw.Error):
            super().close(force)


class BusyRetry:
    """Busy handler: retries every millisecond for at most `seconds`.

    SQLite's default delays grow to 100 ms. Another gateway process holds the lock for one or two milliseconds and soon takes it
    again, so a process with longer delays would rarely find it free.
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
        self._deadline = 0.0

    def __call__(self, tries: int) -> bool:
        """Whether SQLite should try again, after `tries` retries."""
        now = self._clock()
        if tries == 0:
            self._deadline = now + self._seconds
        if now >= self._deadline:
            return False
        self._sleep(_BUSY_RETRY_SECONDS)
        return True


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    """A ledger file and how it is opened; `busy_timeout` is in seconds."""

    path: Path
    durability: Durability = "normal"
    busy_timeout: float = 5.0

    def open(self) -> SqliteConnection:
        """A connection for writing, with the schema upgraded. Raises LedgerUnavailable."""
        try:
            return _ready(self._connect(), self._prepare)
        except (apsw.Error, OSError) as error:
            raise self.unavailable(error) from error

    def open_reader(self) -> SqliteConnection:
        """A read-only connection, which never blocks the writer."""
        return _ready(self._connect(), _only_read)

    def open_for_checkpoints(self) -> SqliteConnection:
        """A connection to the existing file that gives up soon when it would keep commits waiting."""
        return _ready(SqliteConnection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE), _only_checkpoint)

    def check(self) -> None:
        """Verify the integrity of the whole file. Raises LedgerDamaged with the finding."""
        try:
            with closing(self._connect()) as connection:
                finding = connection.execute("PRAGMA quick_check(1)").get
        except apsw.Error as error:
            raise self.unavailable(error) from error
        if finding != "ok":
            raise LedgerDamaged(f"The ledger {self.path} cannot be used: {_DAMAGED} ({finding})")

    def check_at_start(self) -> None:
        """Verify the integrity of the file if that is fast (`START_CHECK_BYTES`)."""
        if self.path.stat().st_size <= START_CHECK_BYTES:
            self.check()

    def identity(self) -> FileId:
        """The file that the path names now. An open connection keeps using a deleted or replaced file, so the writer compares."""
        return _identity(self.path)

    def wal(self) -> FileId:
        """The current write-ahead log."""
        return _identity(self._beside("-wal"))

    def drop_wal(self, stale: FileId) -> None:
        """Delete the log of a deleted or replaced file: SQLite would replay it into the new file."""
        if stale is not None and self.wal() == stale:
            self._beside("-wal").unlink(missing_ok=True)
            self._beside("-shm").unlink(missing_ok=True)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        """The error for the operator: what failed and what to do."""
        advice = _ADVICE.get(type(error), "the database refused")
        kind = LedgerDamaged if isinstance(error, apsw.CorruptError) else LedgerUnavailable
        return kind(f"The ledger {self.path} cannot be used: {advice} ({error})")

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _connect(self) -> SqliteConnection:
        connection = SqliteConnection(str(self.path), statementcachesize=_CACHED_STATEMENTS)
        connection.set_busy_handler(BusyRetry(self.busy_timeout))
        connection.execute("PRAGMA mmap_size = 0")
        return connection

    def _prepare(self, connection: SqliteConnection) -> None:
        self._use_wal(connection)
        connection.execute("PRAGMA synchronous = " + ("FULL" if self.durability == "full" else "NORMAL"))
        migrate(connection)

    def _use_wal(self, connection: SqliteConnection) -> None:
        """Retries, because SQLite reports busy without calling the busy handler when two processes change the mode at once.

        One try may still wait for a whole `busy_timeout`, so the deadline is twice that.
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


def _ready(connection: SqliteConnection, prepare: Callable[[SqliteConnection], None]) -> SqliteConnection:
    try:
        prepare(connection)
        connection.guard()
    except BaseException:
        connection.close()
        raise
    return connection


def _only_read(connection: SqliteConnection) -> None:
    connection.execute("PRAGMA query_only = 1")
    connection.execute("SELECT count(*) FROM sqlite_schema")


def _only_checkpoint(connection: SqliteConnection) -> None:
    connection.set_busy_handler(BusyRetry(_CHECKPOINT_BUSY_SECONDS))
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("SELECT count(*) FROM sqlite_schema")


def _identity(path: Path) -> FileId:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def quarantine(path: Path, *, now: datetime) -> Path:
    """Rename a damaged ledger and its side files, so that a new one can be created; returns the new path. Deletes nothing."""
    target = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target


class ReaderPool:
    """A pool of read-only connections. Connections to a deleted or replaced file are closed."""

    def __init__(self, source: DatabaseFile, *, seconds: float = READ_TIMEOUT) -> None:
        self._source = source
        self._seconds = seconds
        self._idle: deque[tuple[SqliteConnection, FileId]] = deque()

    @contextmanager
    def reading(self) -> Iterator[SqliteConnection]:
        """A connection for one report, in one transaction: a consistent snapshot. Raises LedgerUnavailable, also after the timeout."""
        try:
            connection, identity = self._take()
            deadline = time.monotonic() + self._seconds
            try:
                connection.set_progress_handler(lambda: time.monotonic() > deadline, _PROGRESS_STEPS)
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
            connection, opened_file = self._idle.pop()
            if opened_file == identity:
                return connection, identity
            connection.close()
        return self._source.open_reader(), identity
