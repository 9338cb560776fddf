"""The ledger in one SQLite file."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, overload

from gateway.accounts.budgets import Balance, Hold
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.errors import LedgerUnavailable
from gateway.records import Attempt, Feedback, RequestRecord
from gateway.store import (
    Checkpoint,
    CommitCallback,
    InsertOutcome,
    InsertRequest,
    SettleRequest,
    StoredOutcome,
    UpsertAttempt,
    batch,
    budgets,
    checkpoints,
    mutations,
    reports,
    user_feedback,
)
from gateway.store.connection import DatabaseFile, Durability, ReaderPool
from gateway.store.process_lease import ProcessLease
from gateway.store.writer import QUEUE_SIZE, Writer

# A commit this recent (in seconds) proves that the ledger can be written.
_FRESH_SECONDS = 1.0


class SqliteStore:
    """`gateway.store.Store` on SQLite: one thread writes, readers never wait for it. `busy_timeout` is in seconds.

    Opening checks the file and brings it to the newest schema; LedgerUnavailable says what to do when that fails. The path
    `:memory:` is a temporary file that goes with the store. `clock` is monotonic seconds, `now` the time of day.
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
            together=partial(batch.apply_batch, owner=self._owner),
            alone=partial(batch.apply_one, owner=self._owner),
            clock=clock,
            at_end=partial(_end, self._readers, self._owner, temporary=temporary),
            queue_size=queue_size,
        )
        # A store that is simply dropped leaves nothing behind; at interpreter exit the writer waits for what is queued.
        weakref.finalize(self, self._writer.stop)

    @overload
    def write(self, change: InsertRequest) -> asyncio.Future[int]: ...
    @overload
    def write(self, change: UpsertAttempt) -> asyncio.Future[None]: ...
    @overload
    def write(self, change: SettleRequest, *, then: CommitCallback | None = None) -> asyncio.Future[None]: ...
    def write(
        self, change: InsertRequest | UpsertAttempt | SettleRequest, *, then: CommitCallback | None = None
    ) -> asyncio.Future[Any]:
        return self._writer.write(change, then=then)

    def begin(self, record: RequestRecord, holds: Sequence[Hold] = ()) -> Future[int]:
        return self._writer.submit(InsertRequest(record, holds))

    def attempt(self, request_id: str, attempt: Attempt) -> Future[None]:
        return self._writer.submit(UpsertAttempt(request_id, attempt))

    def settle(self, record: RequestRecord) -> Future[None]:
        return self._writer.submit(SettleRequest(record))

    def add_feedback(self, feedback: Feedback, *, keys: int = 1) -> Future[None]:
        return self._writer.submit(partial(user_feedback.add_feedback, feedback=feedback, keys=keys))

    def add_outcome(self, outcome: StoredOutcome) -> Future[int]:
        if not outcome.timestamp:
            outcome = outcome._replace(timestamp=self._now().isoformat(timespec="milliseconds"))
        return self._writer.submit(InsertOutcome(outcome))

    def add_key(self, key: VirtualKey) -> Future[None]:
        return self._writer.submit(partial(budgets.add_key, key=key))

    def rotate_key(self, key_id: str, *, digest: bytes, last4: str) -> Future[None]:
        return self._writer.submit(partial(budgets.rotate_key, key_id=key_id, digest=digest, last4=last4))

    def revoke_key(self, key_id: str, *, at: datetime) -> Future[None]:
        return self._writer.submit(partial(budgets.revoke_key, key_id=key_id, at=at))

    def virtual_keys(self) -> Sequence[VirtualKey]:
        with self._readers.reading() as connection:
            return budgets.keys(connection)

    def add_admin_key(self, key: AdminKey) -> Future[bool]:
        return self._writer.submit(partial(budgets.add_admin_key, key=key))

    def replace_admin_key(self, key: AdminKey) -> Future[None]:
        return self._writer.submit(partial(budgets.replace_admin_key, key=key))

    def admin_key(self) -> AdminKey | None:
        with self._readers.reading() as connection:
            return budgets.admin_key(connection)

    def balance(self, account: str, period: str) -> Balance:
        with self._readers.reading() as connection:
            return budgets.balance(connection, account, period)

    def close_orphans(self, *, now: str) -> int:
        closed: int = self._writer.submit(partial(mutations.close_orphans, owner=self._owner, now=now)).result()
        return closed

    def outcomes(self, *, after: int = 0, limit: int = 10_000) -> Sequence[StoredOutcome]:
        with self._readers.reading() as connection:
            return reports.outcomes(connection, after=after, limit=limit)

    def newest_outcome(self) -> int:
        with self._readers.reading() as connection:
            return reports.newest_outcome(connection)

    def add_state(self, state: Checkpoint, body: bytes) -> Future[int]:
        stamped = replace(state, timestamp=state.timestamp or self._now().isoformat(timespec="milliseconds"))
        return self._writer.submit(partial(checkpoints.add, state=stamped, body=body))

    def mark_unusable(self, number: int, problem: str) -> Future[None]:
        return self._writer.submit(partial(checkpoints.refuse, number=number, problem=problem))

    def states(self) -> Sequence[Checkpoint]:
        with self._readers.reading() as connection:
            return checkpoints.states(connection)

    def state_body(self, number: int) -> bytes | None:
        with self._readers.reading() as connection:
            return checkpoints.body(connection, number)

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
        """A tiny write; LedgerUnavailable says why none is taken."""
        self._writer.submit(mutations.probe).result()

    def check(self) -> None:
        """Read the whole file for damage (LedgerDamaged), as the start does with a ledger up to 100 MB. Blocks: a GB takes seconds."""
        self._source.check()

    def close(self) -> None:
        self._writer.close()


def _end(readers: ReaderPool, owner: ProcessLease, *, temporary: Path | None) -> None:
    readers.close()
    owner.release()
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)
