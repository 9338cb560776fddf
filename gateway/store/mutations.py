"""The values that a ledger stores, and the mutations that `Store.write` and `Store.submit` accept.

A mutation says what changes, not how: each store translates it into its own statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from gateway.accounts.budgets import Hold
from gateway.accounts.virtual_keys import AdminKey, VirtualKey
from gateway.records import Agreement, Attempt, Feedback, Repricing, RequestRecord

ResultT_co = TypeVar("ResultT_co", covariant=True)

# Called with the error of a mutation that failed, or with None after its commit.
CommitCallback = Callable[[BaseException | None], None]


class StoredOutcome(NamedTuple):
    """One labelled or observed outcome that strategies learn from; `features` maps names to numbers, never to text.

    `id` rises with insertion. `source` names who judged the answer (`outcome`, `feedback`, `truncated`, ...), `weight` (0 to 1) is
    how much the judgement counts. `cost` is USD, `latency` seconds. `agreement` is set where several models were asked.
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
    agreement: Agreement | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Saved state of the estimator, without its body. `origin` is `saved`, or the command that wrote it: `rollback` or `reset`.

    It covers `outcomes` outcomes, up to the id `learned_to`. `format` identifies the encoding of the body; `problem` says why the
    body cannot be used.
    """

    origin: str
    format: str
    learned_to: int
    outcomes: int
    id: int = 0
    timestamp: str = ""
    problem: str | None = None


MAX_TURNS = 1000  # responses that can follow each other by `previous`


class StoredResponse(NamedTuple):
    """A response of `/v1/responses` that is kept for the key that asked for it. Times are Unix seconds, the bytes are JSON.

    `previous` is the response it continues, `input` are the items of this request, `output` those of the answer, with all
    reasoning. `response` is the response without its output.
    """

    id: str
    key_id: str | None
    created: float
    expires: float
    previous: str | None
    response: bytes
    input: bytes
    output: bytes


class StoredContent(NamedTuple):
    """The prompt and the answer of one request as text. `timestamp` is the request's, UTC ISO 8601."""

    request_id: str
    timestamp: str
    prompt: str
    answer: str


class Mutation(Generic[ResultT_co]):
    """A change of the ledger; the type parameter is the type of its result."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class InsertRequest(Mutation[int]):
    """Insert an open row, before its upstream is called; the row names the model of the first attempt.

    The same commit holds the first of the holds' amounts that fits into every account. The result is the index of that amount.
    Raises Conflict for a known request id, BudgetExceeded when no amount fits.
    """

    record: RequestRecord
    holds: Sequence[Hold] = ()


@dataclass(frozen=True, slots=True)
class UpsertAttempt(Mutation[None]):
    """Insert or settle one attempt of an open row. Only a `reserved` attempt changes. Raises NotFound for an unknown row."""

    request_id: str
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class SettleRequest(Mutation[None]):
    """Bring a row and its attempts to their final state and insert the outcomes. Only an open row changes: idempotent.

    An unknown row is inserted. Known attempts that the record does not list become `unknown_estimated`.
    """

    record: RequestRecord
    outcomes: Sequence[StoredOutcome] = ()

    @property
    def stored_outcomes(self) -> list[StoredOutcome]:
        """The outcomes without the features that the row has too; readers take them from there."""
        features = self.record.features
        return [each._replace(features=None) if each.features == features else each for each in self.outcomes]


@dataclass(frozen=True, slots=True)
class InsertOutcome(Mutation[int]):
    """Insert an outcome; the result is its id. An empty `timestamp` means now."""

    outcome: StoredOutcome


@dataclass(frozen=True, slots=True)
class InsertFeedback(Mutation[None]):
    """Store a client's feedback, and an outcome to learn from.

    With a `key_id`, requests of other keys count as unknown. The more labels a key gives on one day, the less each weighs
    (`gateway.accounts.label_weight`). The outcome is inserted once `keys` different keys have rated the model that answered.
    Raises NotFound, InvalidRequest (score outside 0 to 1), and Conflict for a second feedback or one more than 30 days late.
    """

    feedback: Feedback
    keys: int = 1


@dataclass(frozen=True, slots=True)
class UpdateCosts(Mutation[int]):
    """Give closed rows and their attempts new figures; the old ones go to `cost_history`, with the time `repriced`.

    A row whose costs are no longer those that the repricing was computed from stays as it is. The result is the number of
    changed rows. Budgets keep what they were charged.
    """

    repricings: Sequence[Repricing]
    repriced: str


@dataclass(frozen=True, slots=True)
class InsertVirtualKey(Mutation[None]):
    """Raises Conflict when a key that is not revoked has the same name."""

    key: VirtualKey


@dataclass(frozen=True, slots=True)
class RotateVirtualKey(Mutation[None]):
    """Give a key a new secret. Raises NotFound for an unknown or revoked key."""

    key_id: str
    digest: bytes
    last4: str


@dataclass(frozen=True, slots=True)
class LimitVirtualKey(Mutation[None]):
    """Change what a session of a key may cost, in nano-dollars (None: no limit). Raises NotFound for an unknown or revoked key."""

    key_id: str
    session_budget_nano: int | None


@dataclass(frozen=True, slots=True)
class RevokeVirtualKey(Mutation[None]):
    """Raises NotFound for an unknown or revoked key."""

    key_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class InsertAdminKey(Mutation[bool]):
    """Store the admin key. The result is False when there is one already; that one stays."""

    key: AdminKey


@dataclass(frozen=True, slots=True)
class ReplaceAdminKey(Mutation[None]):
    """Store the admin key; the previous one stops working."""

    key: AdminKey


@dataclass(frozen=True, slots=True)
class InsertCheckpoint(Mutation[int]):
    """Store a checkpoint; the result is its id. Of the usable checkpoints, only the ten newest remain. An empty `timestamp` means now."""

    checkpoint: Checkpoint
    body: bytes


@dataclass(frozen=True, slots=True)
class RejectCheckpoint(Mutation[None]):
    """Mark a checkpoint as unusable and say why; it is not deleted."""

    id: int
    problem: str


@dataclass(frozen=True, slots=True)
class InsertResponse(Mutation[None]):
    """Keep a response; those that it continues, directly or not, are then kept as long as it."""

    response: StoredResponse


@dataclass(frozen=True, slots=True)
class DeleteResponse(Mutation[bool]):
    """Delete a response of a key; the result is False when the key has no such response."""

    id: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class InsertContent(Mutation[None]):
    """Keep the content of a request; one that is kept already stays."""

    content: StoredContent


class RefusalCount(NamedTuple):
    """Requests that were refused before routing: `hour` is UTC (`2026-11-29T10`), `cause` the error's code, `key_id` empty without a key."""

    hour: str
    cause: str
    key_id: str
    requests: int


@dataclass(frozen=True, slots=True)
class AddRefusals(Mutation[None]):
    """Add to the counts of refused requests."""

    counts: Sequence[RefusalCount]


@dataclass(frozen=True, slots=True)
class DeleteExpiredResponses(Mutation[None]):
    """Delete the responses that are kept until `now` (Unix seconds) or shorter."""

    now: float


@dataclass(frozen=True, slots=True)
class DeleteContents(Mutation[int]):
    """Delete up to `limit` contents of requests from before a time (ISO 8601, UTC); the result is their number."""

    before: str
    limit: int
