"""The ledger in one SQLite file: the implementation of `Store`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gateway.accounts.budgets import Balance
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.errors import LedgerUnavailable
from gateway.store import batch, budgets, checkpoints, decisions, reports, requests, virtual_keys
from gateway.store.connection import DatabaseFile, Durability, ReaderPool
from gateway.store.mutations import (
    Checkpoint,
    CommitCallback,
    InsertCheckpoint,
    InsertOutcome,
    Mutation,
    StoredOutcome,
)
from gateway.store.process_lease import ProcessLease
from gateway.store.writer import QUEUE_SIZE, Writer

T = TypeVar("T")

# After a commit this recent (in seconds) the ledger counts as writable.
_FRESH_SECONDS = 1.0


class SqliteStore:
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
        self._clock = clock
        self._now = now
        self._source.open().close()
        self._source.check_at_start()
        self._readers = ReaderPool(self._source)
        self._owner = ProcessLease(self.path)
        self._writer = Writer(
            self._source,
            apply_batch=partial(batch.apply_batch, owner=self._owner),
            apply_one=partial(batch.apply_one, owner=self._owner),
            clock=clock,
            on_close=partial(_close, self._readers, self._owner, temporary=temporary),
            queue_size=queue_size,
        )
        # A store that is garbage-collected without `close` leaves no thread; at interpreter exit the queue is drained.
        weakref.finalize(self, self._writer.stop)

    def write(self, mutation: Mutation[T], *, then: CommitCallback | None = None) -> asyncio.Future[T]:
        return self._writer.write(self._stamped(mutation), then=then)

    def submit(self, mutation: Mutation[T]) -> Future[T]:
        return self._writer.submit(self._stamped(mutation))

    def flush(self) -> None:
        wait([self._writer.submit(lambda _: None)])

    def close_orphans(self, *, now: str) -> int:
        closed: int = self._writer.submit(partial(requests.close_orphans, owner=self._owner, now=now)).result()
        return closed

    def virtual_keys(self) -> Sequence[VirtualKey]:
        with self._readers.reading() as connection:
            return virtual_keys.read_all(connection)

    def admin_key(self) -> AdminKey | None:
        with self._readers.reading() as connection:
            return virtual_keys.read_admin(connection)

    def balance(self, account: str, period: str) -> Balance:
        with self._readers.reading() as connection:
            return budgets.balance(connection, account, period)

    def outcomes(self, *, after: int = 0, limit: int = 10_000) -> Sequence[StoredOutcome]:
        with self._readers.reading() as connection:
            return reports.outcomes(connection, after=after, limit=limit)

    def newest_outcome(self) -> int:
        with self._readers.reading() as connection:
            return reports.newest_outcome(connection)

    def states(self) -> Sequence[Checkpoint]:
        with self._readers.reading() as connection:
            return checkpoints.read_all(connection)

    def state_body(self, number: int) -> bytes | None:
        with self._readers.reading() as connection:
            return checkpoints.read_body(connection, number)

    def summary(self, *, days: float) -> dict[str, Any]:
        with self._readers.reading() as connection:
            return reports.summary(connection, days=days, now=self._now())

    def confidence(self, *, days: float | None = None) -> dict[str, int]:
        with self._readers.reading() as connection:
            return reports.confidence(connection, days=days, now=self._now())

    def patterns(self, *, days: float | None = None) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return reports.patterns(connection, days=days, now=self._now())

    def strong_share_by_key(self, *, newest: int) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return reports.strong_share_by_key(connection, newest=newest)

    def shadow(self, *, days: float) -> dict[str, Any]:
        with self._readers.reading() as connection:
            return reports.shadow(connection, days=days, now=self._now())

    def timeline(self, *, days: float) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return reports.timeline(connection, days=days, now=self._now())

    def requests(
        self, *, limit: int = 50, before: int | None = None, filters: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return reports.requests(connection, limit=limit, before=before, filters=filters or {})

    def request(self, request_id: str) -> dict[str, Any] | None:
        with self._readers.reading() as connection:
            return reports.request(connection, request_id)

    def extent(self, period: decisions.Period) -> tuple[int, int]:
        with self._readers.reading() as connection:
            return decisions.extent(connection, period)

    def decisions(self, period: decisions.Period, *, after: int, limit: int) -> list[tuple[Any, ...]]:
        with self._readers.reading() as connection:
            return decisions.page(connection, period, after=after, limit=limit)

    def quality_labels(self) -> dict[str, float]:
        with self._readers.reading() as connection:
            return decisions.labels(connection)

    def writable(self) -> bool:
        last = self._writer.last_commit
        if last is not None and self._clock() - last < _FRESH_SECONDS:
            return True
        try:
            self.probe()
        except LedgerUnavailable:
            return False
        return True

    def probe(self) -> None:
        """Write one row. Raises LedgerUnavailable with the reason when the ledger accepts no writes."""
        self._writer.submit(requests.probe).result()

    def check(self) -> None:
        self._source.check()

    def close(self) -> None:
        self._writer.close()

    def _stamped(self, mutation: Mutation[Any]) -> Mutation[Any]:
        """The mutation with the current time where it has none."""
        if isinstance(mutation, InsertOutcome) and not mutation.outcome.timestamp:
            return replace(mutation, outcome=mutation.outcome._replace(timestamp=self._timestamp()))
        if isinstance(mutation, InsertCheckpoint) and not mutation.checkpoint.timestamp:
            return replace(mutation, checkpoint=replace(mutation.checkpoint, timestamp=self._timestamp()))
        return mutation

    def _timestamp(self) -> str:
        return self._now().isoformat(timespec="milliseconds")


def _close(readers: ReaderPool, owner: ProcessLease, *, temporary: Path | None) -> None:
    readers.close()
    owner.release()
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)
