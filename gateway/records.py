"""The ledger's records: a request, its attempts, and feedback.

Rows are named tuples: each request creates one and replaces it several times, which takes four times as long with a frozen
dataclass of fifty members.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, overload

from gateway.accounts.budgets import SessionSpending
from gateway.completion import Usage
from gateway.request_trace import RequestTrace

# `open` before the first upstream call, at the end exactly one of the others.
RequestStatus = Literal["open", "ok", "error", "cancelled", "interrupted"]
# Who placed cache breakpoints in a request.
CacheMarker = Literal["client", "gateway"]
AttemptStatus = Literal["reserved", "settled", "cancelled_estimated", "failed_free", "unknown_estimated", "orphaned"]


class Attempt(NamedTuple):
    """One upstream call. `number` counts from 1; `cost` is in USD, None where the price is unknown; times are in seconds.

    `first_byte` and `began` count from the start of the request. `began` is for spans and not stored.
    """

    number: int
    provider: str
    model: str
    status: AttemptStatus = "reserved"
    cost: Decimal | None = None
    usage: Usage | None = None
    error: str | None = None
    upstream_status: int | None = None
    upstream_id: str | None = None
    first_byte: float | None = None
    duration: float | None = None
    began: float | None = None


class Agreement(NamedTuple):
    """Models that are asked at once, and what came of it. Names are full names.

    The answer of the first of `models` is kept where all of them answer the same; `escalation` answers where they do not, None
    where nobody is left to ask. `agreed` is None where nothing was compared.
    """

    models: tuple[str, ...]
    escalation: str | None = None
    agreed: bool | None = None


class CandidateColumns(Sequence[Mapping[str, Any]]):
    """Candidates that are columns already. As a sequence they are JSON objects, made when they are read."""

    __slots__ = ()

    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """Each member of all candidates, a column in their order, under the names and in the order of a candidate's members."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        columns = self.columns()
        return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        return list(self)[index]


class RequestRecord(NamedTuple):
    """One row of `routing_metrics`: the decision, later also its result. Costs are in USD, times in seconds.

    `timestamp` is UTC ISO 8601. `confidence` is None for a pinned model. Costs are None where a price is unknown. `evidence` says
    how the baseline cost is known: `exact` (the baseline itself answered), `measured` (likewise, by a random draw), `modelled` or
    `unknown` (it has no price); None where no answer was billed. `session_kept`: the conversation stayed with its model
    (None without a previous model). `switch_penalty` is the cache cost of a change. `cache_marks` is who placed the cache
    breakpoints. `endpoint` is the name of the client's API. `tags` are the client's own labels for reports. `holdback`: a random draw sent the
    conversation to the baseline; None where none was drawn. `baseline_usage` is the usage that the baseline was priced on.
    `session_spending` is for the client and `trace` for telemetry; neither is stored. `cache_miss` says why a conversation's cached prefix was not read, `cache_missed_tokens` and `cache_loss` what that lost. `agreement` is set where several models were asked at once. `shadow_*` is what `auto` would have chosen where it did not decide (shadow mode, holdback), priced on the same usage.
    """

    request_id: str
    timestamp: str
    strategy_used: str
    selected_provider: str
    selected_model: str
    baseline_provider: str
    baseline_model: str
    confidence: str | None = None
    baseline_cost: Decimal | None = None
    actual_cost: Decimal | None = None
    pattern_detected: str | None = None
    complexity_score: float | None = None
    experimental: bool = False
    fallback_used: bool = False
    fallback_reason: str | None = None
    status: RequestStatus = "open"
    auto_route: bool = False
    requested_model: str | None = None
    reasoning: str | None = None
    evidence: str | None = None
    baseline_cost_low: Decimal | None = None
    baseline_cost_high: Decimal | None = None
    estimated: bool = False
    usage: Usage | None = None
    price_version: str | None = None
    policy_version: str | None = None
    propensity: float | None = None
    candidates: Sequence[Mapping[str, Any]] = ()
    features: Mapping[str, float] = MappingProxyType({})
    session_id: str | None = None
    session_kept: bool | None = None
    switch_penalty: float | None = None
    cache_marks: CacheMarker | None = None
    shadow_provider: str | None = None
    shadow_model: str | None = None
    shadow_cost: Decimal | None = None
    key_id: str | None = None
    client_request_id: str | None = None
    client_retries: int | None = None
    endpoint: str | None = None
    tags: Mapping[str, str] = MappingProxyType({})
    holdback: bool | None = None
    baseline_usage: Mapping[str, Any] = MappingProxyType({})
    cache_miss: str | None = None
    cache_missed_tokens: int | None = None
    cache_loss: Decimal | None = None
    streamed: bool = False
    http_status: int | None = None
    error_code: str | None = None
    finish_reason: str | None = None
    first_byte: float | None = None
    duration: float | None = None
    attempts: Sequence[Attempt] = ()
    agreement: Agreement | None = None
    session_spending: SessionSpending | None = None
    trace: RequestTrace | None = None

    @property
    def cost_savings(self) -> Decimal | None:
        """Baseline cost minus actual cost in USD; negative where routing cost more."""
        if self.baseline_cost is None or self.actual_cost is None:
            return None
        return self.baseline_cost - self.actual_cost


@dataclass(frozen=True, slots=True)
class Feedback:
    """A client's rating of a response: `score` from 0 to 1."""

    request_id: str
    score: float
    timestamp: str
    comment: str | None = None
    key_id: str | None = None


class PricedAttempt(NamedTuple):
    """One upstream call as the ledger has it. `usage` is the provider's object, empty where the gateway estimated the tokens."""

    number: int
    provider: str
    model: str
    status: str
    cost_nano: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usage: Mapping[str, Any] | None = None
    upstream_id: str | None = None


class PricedRow(NamedTuple):
    """The figures of a closed row as the ledger has them, with what they were computed from. `baseline_cost_low` and `_high` in USD."""

    id: int
    request_id: str
    timestamp: str
    strategy_used: str | None
    selected_provider: str | None
    selected_model: str | None
    baseline_provider: str | None
    baseline_model: str | None
    shadow_provider: str | None
    shadow_model: str | None
    evidence: str | None
    estimated: int
    holdback: int | None
    price_version: str | None
    actual_cost_nano: int | None
    baseline_cost_nano: int | None
    baseline_cost_low: float | None
    baseline_cost_high: float | None
    shadow_cost_nano: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    usage: Mapping[str, Any] | None
    baseline_usage: Mapping[str, Any] | None
    attempts: Sequence[PricedAttempt] = ()


class Repricing(NamedTuple):
    """New figures of the row `before`. Costs are in USD; `attempts` are the new usages and costs of attempts, by number."""

    before: PricedRow
    price_version: str
    usage: Usage | None
    evidence: str | None
    actual_cost: Decimal | None
    baseline_cost: Decimal | None
    baseline_cost_low: Decimal | None
    baseline_cost_high: Decimal | None
    shadow_cost: Decimal | None
    attempts: Mapping[int, tuple[Usage, Decimal | None]] = MappingProxyType({})
