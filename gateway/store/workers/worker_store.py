"""The ledger of a worker: it reads the SQLite file itself, and another process writes it."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from concurrent.futures import wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from gateway.store.connection import DatabaseFile, Durability, ReaderPool
from gateway.store.database_store import DatabaseStore
from gateway.store.file_session import FileSession
from gateway.store.process_lease import ProcessLease
from gateway.store.sqlite import SqliteStore
from gateway.store.workers.operations import CloseOrphans, Probe
from gateway.store.workers.worker_session import WAIT_SECONDS, WorkerSession
from gateway.store.writer import QUEUE_SIZE, Writer

T = TypeVar("T")


class WorkerStore(SqliteStore):
    """`gateway.store.Store` on an SQLite file that the writer process at the socket `writer` commits to.

    The file was checked before there were workers. Raises LedgerUnavailable when it cannot be opened. A change waits up to
    `wait_seconds` for a writer process that is away. `clock` is monotonic seconds, `now` the time of day.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        writer: Path,
        durability: Durability = "normal",
        wait_seconds: float = WAIT_SECONDS,
        queue_size: int = QUEUE_SIZE,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = Path(path).absolute()
        self._source = DatabaseFile(self.path, durability=durability)
        self._source.open().close()
        readers = ReaderPool(self._source)
        owner = ProcessLease(self.path)

        def on_close() -> None:
            readers.close()
            owner.release()

        session_writer = Writer(
            WorkerSession(writer, owner, name=self.path.name, wait_seconds=wait_seconds, clock=clock),
            apply_batch=WorkerSession.write,
            apply_one=lambda session, operation: session.write([operation])[0],
            clock=clock,
            on_close=on_close,
            queue_size=queue_size,
        )
        DatabaseStore.__init__(self, readers=readers, writer=session_writer, clock=clock, now=now)
        weakref.finalize(self, session_writer.stop)

    def flush(self) -> None:
        wait([self._writer.submit(Probe())])

    def probe(self) -> None:
        self._writer.submit(Probe()).result()

    def close_orphans(self, *, now: str) -> int:
        closed: int = self._writer.submit(CloseOrphans(now)).result()
        return closed

    def apply(self, work: Callable[[Any], T]) -> T:
        """Work that is no mutation cannot be sent, so it is done here, by a connection of its own."""
        session = FileSession(self._source)
        try:
            return session.transact(work)
        except Exception as error:
            if session.concerns_database(error):
                raise session.unavailable(error) from error
            raise
        finally:
            session.disconnect()
