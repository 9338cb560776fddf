"""The thread that copies the write-ahead log into the ledger file, so that commits do not wait for the copy.

A checkpoint synchronizes the disk several times. In SQLite's default, the connection whose commit makes the log long does that
work, and every commit behind it waits. PASSIVE checkpoints on another connection run beside commits (https://sqlite.org/wal.html).
They cannot shorten the log while commits go on, so a long log is truncated too. That excludes commits, but only for the few pages
that the PASSIVE checkpoint before it left. Each process that writes the file may do all this: one at a time gets the lock.
"""

from __future__ import annotations

import logging
import threading

import apsw

from gateway.store.connection import DatabaseFile, SqliteConnection

# In pages of 4,096 bytes: 1 MB is copied at once, and a log above 16 MB is truncated.
COPY_PAGES = 256
TRUNCATE_PAGES = 4096
_INTERVAL = 0.25

log = logging.getLogger(__name__)


class WalCheckpointer:
    """Checkpoints the log of one ledger while `start`ed. Failures are logged, and never raised.

    `start`, `committed` and `stop` are called by the thread that commits. `interval` is in seconds, the limits are in pages.
    """

    def __init__(
        self,
        source: DatabaseFile,
        *,
        interval: float = _INTERVAL,
        copy_pages: int = COPY_PAGES,
        truncate_pages: int = TRUNCATE_PAGES,
    ) -> None:
        self._source = source
        self._interval = interval
        self._copy_pages = copy_pages
        self._truncate_pages = truncate_pages
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._written = 0
        self._copied = 0
        self._failing = False

    def start(self, writing: apsw.Connection) -> None:
        """Take over the checkpoints of `writing`, which was just opened. If that is impossible, SQLite goes on doing them in its commits."""
        try:
            connection = self._source.open_for_checkpoints()
        except (apsw.Error, OSError) as error:
            self._report(error)
            return
        self._stopping.clear()
        name = f"checkpoints {self._source.path.name}"
        thread = threading.Thread(target=self._run, args=(connection,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            connection.close()
            self._report(error)
            return
        self._thread = thread
        writing.wal_autocheckpoint(0)

    def committed(self, writing: apsw.Connection) -> None:
        """Count the pages that `writing` has written since the last call."""
        self._written += writing.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, True)[0]

    def stop(self) -> None:
        """End the thread and close its connection, after the checkpoint that is running. Call it before `writing` is closed."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._stopping.set()
            thread.join()

    def _run(self, connection: SqliteConnection) -> None:
        while not self._stopping.wait(self._interval):
            self._checkpoint(connection)
        connection.close()

    def _checkpoint(self, connection: SqliteConnection) -> None:
        written = self._written
        if written - self._copied < self._copy_pages:
            return
        try:
            length, copied = connection.wal_checkpoint("main")
            # If a report still reads the log, truncating would wait for it, and commits with it.
            if length > self._truncate_pages and copied == length:
                connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            return
        except apsw.Error as error:
            self._report(error)
            return
        self._failing = False
        if copied == length:
            self._copied = written

    def _report(self, error: Exception) -> None:
        """Log the first of several failures in a row."""
        if not self._failing:
            self._failing = True
            log.warning("the write-ahead log of %s cannot be copied into it yet: %s", self._source.path, error)
