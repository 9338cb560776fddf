"""The ledger in one SQLite file: the implementation of `Store`."""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from gateway.store import batch, operations, requests
from gateway.store.connection import DatabaseFile, Durability, ReaderPool
from gateway.store.database_store import DatabaseStore
from gateway.store.file_session import FileSession
from gateway.store.ledger_tables import LedgerTable
from gateway.store.process_lease import ProcessLease
from gateway.store.writer import QUEUE_SIZE, Writer


class SqliteStore(DatabaseStore):
    """`gateway.store.Store` on SQLite: one thread writes, and readers never wait for it. `busy_timeout` is in seconds.

    Opening checks the integrity of files up to 100 MB and upgrades the schema. Raises LedgerUnavailable, which says what to do.
    `:memory:` is a temporary file that is deleted with the store. `clock` is monotonic seconds, `now` the time of day.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durability: Durability = "normal",
        busy_timeout: float = 5.0,
        queue_size: int = QUEUE_SIZE,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        temporary = Path(tempfile.mkdtemp(prefix="gateway-")) if str(path) == ":memory:" else None
        self.path = temporary / "gateway.db" if temporary else Path(path).absolute()
        self._source = DatabaseFile(self.path, durability=durability, busy_timeout=busy_timeout)
        self._source.open().close()
        self._source.check_at_start()
        readers = ReaderPool(self._source)
        self._owner = ProcessLease(self.path)
        writer = Writer(
            FileSession(self._source),
            apply_batch=partial(batch.apply_batch, owner=self._owner),
            apply_one=partial(operations.apply_one, owner=self._owner),
            clock=clock,
            on_close=partial(_close, readers, self._owner, temporary=temporary),
            queue_size=queue_size,
        )
        super().__init__(readers=readers, writer=writer, clock=clock, now=now)
        # A store that is garbage-collected without `close` leaves no thread; at interpreter exit the queue is drained.
        weakref.finalize(self, writer.stop)

    def close_orphans(self, *, now: str) -> int:
        closed: int = self._writer.submit(partial(requests.close_orphans, owner=self._owner, now=now)).result()
        return closed

    def insert_rows(self, table: LedgerTable, rows: Sequence[Sequence[Any]]) -> None:
        places = ", ".join("?" * len(table.columns))
        query = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})"  # noqa: S608 - constants
        self.apply(lambda connection: connection.executemany(query, rows))

    def check(self) -> None:
        self._source.check()


def _close(readers: ReaderPool, owner: ProcessLease, *, temporary: Path | None) -> None:
    readers.close()
    owner.release()
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)
