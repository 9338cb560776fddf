"""The ledger's interface: what is written, when it is safe, and what can be asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, overload

from gateway.accounts.budgets import Balance, Hold
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.records import Attempt, Feedback, RequestRecord

CommitCallback = Callable[[BaseException | None], None]


class StoredOutcome(NamedTuple):
    """One labelled or observed outcome as strategies learn from it; `features` are numbers by name, never text.

    `id` rises with insertion, so a learner reads what is newer than it knows. `source` says who judged
    (`outcome`, `feedback`, `truncated`, ...), `weight` (0 to 1) how much it counts.
    """

    provider: str
    model: str
    pattern: str
    complexity: float
    id: int = 0
    timestamp: str = ""
    request_id: str | None = None
    quality: float | None = None
    cost: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency: float | None = None
    error: str | None = None
    features: Mapping[str, float] | None = None
    source: str = "outcome"
    weight: float = 1.0


class InsertRequest(NamedTuple):
    """A row to insert before its upstream is called; see `Store.begin`."""

    record: RequestRecord
    holds: Sequence[Hold] = ()


class SettleRequest(NamedTuple):
    """A row that has come to its end, and what is learned of it; see `Store.settle`."""

    record: RequestRecord
    outcomes: Sequence[StoredOutcome] = ()


class UpsertAttempt(NamedTuple):
    """One attempt of an open row; see `Store.attempt`."""

    request_id: str
    attempt: Attempt


class InsertOutcome(NamedTuple):
    """An outcome to keep; see `Store.add_outcome`."""

    outcome: StoredOutcome


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What strategies learned, without its body. `origin` is `saved`, or what ordered it: `rollback` or `reset`.

    It knows the outcomes up to the id `learned_to`, `outcomes` of them. `format` says how the body is to be read, `problem` why it
    cannot be.
    """

    origin: str
    format: str
    learned_to: int
    outcomes: int
    id: int = 0
    timestamp: str = ""
    problem: str | None = None


class Store(Protocol):
    """A ledger. Each writing call returns a future that is done once the change is committed (or failed: LedgerUnavailable).

    Writes may be called from any thread, the event loop included; they never wait. A write cannot be taken back:
    cancelling its future has no effect. Reads block: call them off the loop.
    """

    @overload
    def write(self, change: InsertRequest) -> asyncio.Future[int]: ...
    @overload
    def write(self, change: UpsertAttempt) -> asyncio.Future[None]: ...
    @overload
    def write(self, change: SettleRequest, *, then: CommitCallback | None = None) -> asyncio.Future[None]: ...
    def write(
        self, change: InsertRequest | UpsertAttempt | SettleRequest, *, then: CommitCallback | None = None
    ) -> asyncio.Future[Any]:
        """A change as the running event loop awaits it; all that one commit completes arrive with one wake-up.

        `then` is called in the loop with the error, or None, whether or not somebody still waits.
        """

    def begin(self, record: RequestRecord, holds: Sequence[Hold] = ()) -> Future[int]:
        """Insert the row, before the upstream is called; it names whom its first attempt asks. Conflict for a known id.

        The first of the holds' amounts that fits into every account is held in the same commit, until `settle`; the future
        tells which. BudgetExceeded when none does.
        """

    def attempt(self, request_id: str, attempt: Attempt) -> Future[None]:
        """Insert or settle one attempt of an `open` row; only a `reserved` one can change. NotFound for an unknown row."""

    def settle(self, record: RequestRecord) -> Future[None]:
        """Bring the row and its attempts to their final state; only an `open` row changes, so it may be called twice.

        A row that was never begun is inserted. Attempts that were begun and are not mentioned become `unknown_estimated`.
        """

    def add_feedback(self, feedback: Feedback, *, keys: int = 1) -> Future[None]:
        """Store what a client said, and as an outcome to learn from. Raises (in the future) NotFound, Conflict.

        With a `key_id`, other keys' requests are unknown. A day after its request an opinion comes too late (Conflict). The
        more a key says on one day, the less each opinion weighs (`gateway.store.label_weight`). It is kept at once, and learned once
        so many different `keys` have given an opinion of the model that answered.
        """

    def add_outcome(self, outcome: StoredOutcome) -> Future[int]:
        """Store an outcome; the future holds its id. An empty `timestamp` means now."""

    def add_key(self, key: VirtualKey) -> Future[None]:
        """Conflict when a key that is not revoked has its name."""

    def rotate_key(self, key_id: str, *, digest: bytes, last4: str) -> Future[None]:
        """Another secret for the same key. NotFound for an unknown or revoked one."""

    def revoke_key(self, key_id: str, *, at: datetime) -> Future[None]:
        """NotFound for an unknown or revoked one."""

    def virtual_keys(self) -> Sequence[VirtualKey]:
        """All of them, the revoked too, oldest first."""

    def add_admin_key(self, key: AdminKey) -> Future[bool]:
        """Keep it as the admin key; the future says False where there is one already, which then stays."""

    def replace_admin_key(self, key: AdminKey) -> Future[None]:
        """Keep it as the admin key; the one before ends."""

    def admin_key(self) -> AdminKey | None:
        """The admin key that the ledger keeps, if it keeps one."""

    def balance(self, account: str, period: str) -> Balance:
        """What an account has spent and held in a window (`gateway.accounts.budgets.period`)."""

    def close_orphans(self, *, now: str) -> int:
        """Close rows that a dead process left open as `interrupted`, estimated; the number of rows. Blocks.

        What was held for them is charged in full, as are holds that have expired.
        """

    def outcomes(self, *, after: int = 0, limit: int = 10_000) -> Sequence[StoredOutcome]:
        """Outcomes with an id above `after`, rising."""

    def newest_outcome(self) -> int:
        """The highest id of an outcome; 0 without any."""

    def add_state(self, state: Checkpoint, body: bytes) -> Future[int]:
        """Keep what was learned; the future holds its id. Of the sound ones the oldest goes when there are more than ten."""

    def mark_unusable(self, number: int, problem: str) -> Future[None]:
        """Note that a state cannot be used, and why; it is kept."""

    def states(self) -> Sequence[Checkpoint]:
        """What is kept of what was learned, oldest first."""

    def state_body(self, number: int) -> bytes | None:
        """None where there is no such state, or its checksum is not that of its body."""

    def summary(self, *, days: float) -> dict[str, Any]:
        """The sums of the closed rows of the last `days`; money in USD."""

    def confidence(self, *, days: float | None = None) -> dict[str, int]:
        """Learned decisions (neither `complexity` nor `pinned`) by confidence."""

    def patterns(self, *, days: float | None = None) -> list[dict[str, Any]]:
        """Learned decisions by model and pattern, most frequent first."""

    def strong_share_by_key(self, *, newest: int) -> list[dict[str, Any]]:
        """Routed requests among so many of the newest rows, by key, provider and model, most frequent first."""

    def shadow(self, *, days: float) -> dict[str, Any]:
        """What `auto` would have cost where it only looked on, on the same usage, in all and by the model it would have chosen."""

    def timeline(self, *, days: float) -> list[dict[str, Any]]:
        """The sums by hour (up to three days) or day, oldest first."""

    def requests(
        self, *, limit: int = 50, before: int | None = None, filters: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        """The newest rows first; `before` is an id to page on from. `filters` are column values; InvalidRequest for an unknown column."""

    def request(self, request_id: str) -> dict[str, Any] | None:
        """One row with its attempts and feedback."""

    def writable(self) -> bool:
        """Whether a new row could be committed now. May write, so it blocks."""

    def check(self) -> None:
        """Read the whole ledger for damage; LedgerUnavailable says what was found. Blocks: a GB takes seconds."""

    def close(self) -> None:
        """Commit what is queued, then close. May be called twice."""
