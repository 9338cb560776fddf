"""The interface of a ledger. `tests/store/test_protocol.py` is the contract that every implementation passes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from gateway.accounts.budgets import Balance
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.records import PricedRow
from gateway.store.decisions import Period
from gateway.store.mutations import Checkpoint, CommitCallback, Mutation, StoredContent, StoredOutcome, StoredResponse
from gateway.store.replicas import Replicas

T = TypeVar("T")


class Store(Protocol):
    """A ledger. A write returns a future that completes after the commit, or fails: LedgerUnavailable, or what the mutation raises.

    Writes never block and are applied in the order of the calls. Cancelling the future does not undo the write.
    Reads block: call them outside the event loop.
    """

    @property
    def replicas(self) -> Replicas | None:
        """The gateways on other machines that share the ledger; None for a ledger of one machine."""

    def write(self, mutation: Mutation[T], *, then: CommitCallback | None = None) -> asyncio.Future[T]:
        """Write from the running event loop. All mutations of one commit wake the loop once.

        `then` is called in the loop with the error or None, even if the future was cancelled.
        """

    def submit(self, mutation: Mutation[T]) -> Future[T]:
        """Write from any thread."""

    def flush(self) -> None:
        """Wait until every earlier write has been committed or has failed. Blocks."""

    def close_orphans(self, *, now: str) -> int:
        """Close rows that a dead process left open as `interrupted`, with estimated costs; returns the number of rows. Blocks.

        Money held for them is charged in full, and so are expired holds.
        """

    def virtual_keys(self) -> Sequence[VirtualKey]:
        """All keys including the revoked, oldest first."""

    def admin_key(self) -> AdminKey | None: ...

    def balance(self, account: str, period: str) -> Balance:
        """Spent and held amounts of an account in a window (`gateway.accounts.budgets.period`)."""

    def outcomes(self, *, after: int = 0, limit: int = 10_000) -> Sequence[StoredOutcome]:
        """Outcomes with an id above `after`, in ascending order."""

    def newest_outcome(self) -> int:
        """The highest outcome id; 0 without outcomes."""

    def states(self) -> Sequence[Checkpoint]:
        """All checkpoints, oldest first."""

    def state_body(self, number: int) -> bytes | None:
        """The body of a checkpoint; None when it does not exist or its checksum is wrong."""

    def summary(self, *, days: float) -> dict[str, Any]:
        """Totals of the closed rows of the last `days`; money in USD."""

    def confidence(self, *, days: float | None = None) -> dict[str, int]:
        """Number of learned decisions (neither `complexity` nor `pinned`) by confidence."""

    def patterns(self, *, days: float | None = None) -> list[dict[str, Any]]:
        """Learned decisions by model and pattern, most frequent first."""

    def strong_share_by_key(self, *, newest: int) -> list[dict[str, Any]]:
        """Number of routed requests among the `newest` rows by key, provider and model, most frequent first."""

    def shadow(self, *, days: float) -> dict[str, Any]:
        """Cost of the choices that `auto` would have made in shadow mode, on the same usage: in total and by chosen model."""

    def holdback_cost(self, *, since: str) -> Decimal:
        """USD that held-back requests since then (UTC, ISO 8601) cost more than the routed choices would have, on the same usage."""

    def judge_cost(self, *, since: str) -> Decimal:
        """USD of the judge's calls since then (UTC, ISO 8601)."""

    def judge_agreement(self) -> dict[str, Any]:
        """Of the `answers` that both the judge and a person rated: the share on the same side of 0.5 (`agreement`), and the mean
        `difference`, judge minus person; None without such answers.
        """

    def timeline(self, *, days: float) -> list[dict[str, Any]]:
        """Totals by hour (up to three days) or day, oldest first."""

    def confidence_timeline(self, *, days: float) -> list[dict[str, Any]]:
        """Requests by the same buckets: `total_requests`, and the routed ones of `high`, `medium` and `low` confidence."""

    def report_groups(
        self, *, since: datetime | None, until: datetime | None, key_id: str | None
    ) -> list[dict[str, Any]]:
        """Sums by model, baseline, strategy, pattern, key, evidence and cache miss.

        None means from the first row, to the last, of all keys.
        """

    def report_days(
        self, *, since: datetime | None, until: datetime | None, filters: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Sums by baseline and day (`bucket`); `filters` are values of `key_id`, `provider`, `model` and `pattern`."""

    def report_groups_by(
        self, column: str, *, since: datetime | None, until: datetime | None, key_id: str | None
    ) -> list[dict[str, Any]]:
        """Sums by baseline and `session_id` or `tags`, which stands in `value`: of many values those on which most was spent.

        Takes longer the more rows there are.
        """

    def report_labels(
        self, *, since: datetime | None, until: datetime | None, key_id: str | None
    ) -> list[tuple[float, bool]]:
        """The newest ratings (0 to 1) of both sides of the holdback's draw, each in the order of time, and whether it held them back."""

    def refusals(self, *, since: datetime | None, until: datetime | None, key_id: str | None) -> list[dict[str, Any]]:
        """Requests that were refused before routing, by `cause` and `key_id`."""

    def requests(
        self, *, limit: int = 50, before: int | None = None, filters: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        """The newest rows first, of those with an id below `before`. `filters` are column values, `session` (with its subagents)
        and `tag:NAME`; InvalidRequest for an unknown one."""

    def recent_values(self, *, days: int) -> list[dict[str, Any]]:
        """The combinations of `provider`, `model`, `pattern` and `key_id` that occur in the closed rows of the last `days`."""

    def last_uses(self, key_ids: Iterable[str]) -> dict[str, str]:
        """The timestamp of the newest row of each of these keys that has any."""

    def revision(self) -> str:
        """A text that differs after rows, ratings, prices or refusals of the last two days have changed."""

    def session_totals(self, session: str) -> dict[str, Any]:
        """The closed requests of a session and its subagents: `requests`, `spent_usd` and `saved_usd`."""

    def first_byte_times(self, *, newest: int, filters: Mapping[str, object] | None = None) -> Sequence[float]:
        """Seconds to the first byte of the `newest` rows that have any; `filters` as for `requests`."""

    def request(self, request_id: str) -> dict[str, Any] | None:
        """One row with its attempts and feedback."""

    def response(self, response_id: str) -> StoredResponse | None:
        """A kept response, of any key and perhaps expired."""

    def content(self, request_id: str) -> StoredContent | None:
        """The kept prompt and answer of a request."""

    def priced_rows(self, *, after: int = 0, since: str = "", limit: int = 500) -> Sequence[PricedRow]:
        """Closed rows with an id above `after` and a timestamp from `since` on, oldest first, with their attempts."""

    def extent(self, period: Period) -> tuple[int, int]:
        """The id before the first row of a period, and the number of its rows."""

    def decisions(self, period: Period, *, after: int, limit: int) -> list[tuple[Any, ...]]:
        """The period's closed rows with an id above `after`, ascending, as values of `decisions.COLUMNS`."""

    def quality_labels(self) -> dict[str, float]:
        """The quality (0 to 1) of rated or checked answers by request id, of the newest million."""

    def writable(self) -> bool:
        """Whether a new row could be committed now. May write, so it blocks."""

    def check(self) -> None:
        """Read the whole ledger and verify its integrity. Raises LedgerUnavailable. Blocks: a GB takes seconds."""

    def close(self) -> None:
        """Commit what is queued, then close. Idempotent."""
