"""What a ledger in a database does, whichever database it is: reads in a reader's snapshot, writes through one writer."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar

from gateway.accounts.budgets import Balance
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.errors import LedgerUnavailable
from gateway.records import PricedRow
from gateway.store import (
    budgets,
    checkpoints,
    decisions,
    pruning,
    report_groups,
    reports,
    repricing,
    requests,
    stored_contents,
    stored_responses,
    virtual_keys,
)
from gateway.store.ledger_tables import LedgerTable
from gateway.store.mutations import (
    Checkpoint,
    CommitCallback,
    InsertCheckpoint,
    InsertOutcome,
    Mutation,
    StoredContent,
    StoredOutcome,
    StoredResponse,
)
from gateway.store.replicas import Replicas
from gateway.store.sql import Connection
from gateway.store.writer import Operation

T = TypeVar("T")

# After a commit this recent (in seconds) the ledger counts as writable.
_FRESH_SECONDS = 1.0


class Readers(Protocol):
    """A pool of connections that only read."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for one report: a consistent snapshot. Raises LedgerUnavailable."""

    def close(self) -> None: ...


class BatchWriter(Protocol):
    """What a store uses of `gateway.store.writer.Writer`."""

    @property
    def last_commit(self) -> float | None: ...

    def submit(self, operation: Operation) -> Future[Any]: ...

    def write(self, operation: Operation, *, then: CommitCallback | None = None) -> asyncio.Future[Any]: ...

    def close(self) -> None: ...


class DatabaseStore(ABC):
    """The part of `gateway.store.Store` that is the same for every database. `clock` is monotonic seconds, `now` the time of day."""

    rollup_key: ClassVar[pruning.RollupKey] = pruning.RollupKey()

    def __init__(
        self, *, readers: Readers, writer: BatchWriter, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock
        self._now = now

    @property
    def replicas(self) -> Replicas | None:
        return None

    def write(self, mutation: Mutation[T], *, then: CommitCallback | None = None) -> asyncio.Future[T]:
        return self._writer.write(self._stamped(mutation), then=then)

    def submit(self, mutation: Mutation[T]) -> Future[T]:
        return self._writer.submit(self._stamped(mutation))

    def flush(self) -> None:
        wait([self._writer.submit(lambda _: None)])

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that reads a consistent snapshot, for work on whole tables. Raises LedgerUnavailable."""
        return self._readers.reading()

    def apply(self, work: Callable[[Any], T]) -> T:
        """Do work with the writer's connection, in a transaction, and wait. Raises what it raises, or LedgerUnavailable."""
        result: T = self._writer.submit(work).result()
        return result

    @abstractmethod
    def insert_rows(self, table: LedgerTable, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows as they are, ids included, in one transaction; the values are in the order of the table's columns."""

    def prune_requests(self, *, before: str, limit: int) -> int:
        """Delete up to `limit` closed rows from before a time (ISO 8601, UTC), keeping the rollup's sums; returns how many."""
        return self.apply(partial(pruning.prune_requests, before=before, limit=limit, key=self.rollup_key))

    def prune_outcomes(self, *, before: str, limit: int) -> int:
        """Delete up to `limit` learned outcomes from before a time (ISO 8601, UTC); returns how many."""
        return self.apply(partial(pruning.prune_outcomes, before=before, limit=limit))

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

    def confidence_timeline(self, *, days: float) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return reports.confidence_timeline(connection, days=days, now=self._now())

    def report_groups(
        self, *, since: datetime | None, until: datetime | None, key_id: str | None
    ) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return report_groups.report_groups(connection, since=since, until=until, key_id=key_id)

    def report_days(
        self, *, since: datetime | None, until: datetime | None, filters: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return report_groups.report_days(connection, since=since, until=until, filters=filters)

    def report_groups_by(
        self, column: str, *, since: datetime | None, until: datetime | None, key_id: str | None
    ) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return report_groups.report_groups_by(connection, column, since=since, until=until, key_id=key_id)

    def report_labels(
        self, *, since: datetime | None, until: datetime | None, key_id: str | None
    ) -> list[tuple[float, bool]]:
        with self._readers.reading() as connection:
            return report_groups.report_labels(connection, since=since, until=until, key_id=key_id)

    def refusals(self, *, since: datetime | None, until: datetime | None, key_id: str | None) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return report_groups.refusals(connection, since=since, until=until, key_id=key_id)

    def holdback_cost(self, *, since: str) -> Decimal:
        with self._readers.reading() as connection:
            return reports.holdback_cost(connection, since=since)

    def judge_cost(self, *, since: str) -> Decimal:
        with self._readers.reading() as connection:
            return reports.judge_cost(connection, since=since)

    def judge_agreement(self) -> dict[str, Any]:
        with self._readers.reading() as connection:
            return reports.judge_agreement(connection)

    def extent(self, period: decisions.Period) -> tuple[int, int]:
        with self._readers.reading() as connection:
            return decisions.extent(connection, period)

    def decisions(self, period: decisions.Period, *, after: int, limit: int) -> list[tuple[Any, ...]]:
        with self._readers.reading() as connection:
            return decisions.page(connection, period, after=after, limit=limit)

    def quality_labels(self) -> dict[str, float]:
        with self._readers.reading() as connection:
            return decisions.labels(connection)

    def requests(
        self, *, limit: int = 50, before: int | None = None, filters: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return reports.requests(connection, limit=limit, before=before, filters=filters or {})

    def session_totals(self, session: str) -> dict[str, Any]:
        """The closed requests of a session and its subagents: `requests`, `spent_usd` and `saved_usd`."""
        with self._readers.reading() as connection:
            return reports.session_totals(connection, session)

    def recent_values(self, *, days: int) -> list[dict[str, Any]]:
        with self._readers.reading() as connection:
            return reports.recent_values(connection, days=days, now=self._now())

    def last_uses(self, key_ids: Iterable[str]) -> dict[str, str]:
        with self._readers.reading() as connection:
            return reports.last_uses(connection, key_ids)

    def revision(self) -> str:
        with self._readers.reading() as connection:
            return reports.revision(connection, now=self._now())

    def first_byte_times(self, *, newest: int, filters: Mapping[str, object] | None = None) -> list[float]:
        with self._readers.reading() as connection:
            return reports.first_byte_times(connection, newest=newest, filters=filters or {})

    def request(self, request_id: str) -> dict[str, Any] | None:
        with self._readers.reading() as connection:
            return reports.request(connection, request_id)

    def priced_rows(self, *, after: int = 0, since: str = "", limit: int = 500) -> Sequence[PricedRow]:
        with self._readers.reading() as connection:
            return repricing.read(connection, after=after, since=since, limit=limit)

    def response(self, response_id: str) -> StoredResponse | None:
        with self._readers.reading() as connection:
            return stored_responses.read(connection, response_id)

    def content(self, request_id: str) -> StoredContent | None:
        with self._readers.reading() as connection:
            return stored_contents.read(connection, request_id)

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

    @abstractmethod
    def check(self) -> None: ...

    @abstractmethod
    def close_orphans(self, *, now: str) -> int: ...

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
