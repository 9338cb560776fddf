"""One request under way: its row, its attempts and its clock, from the first insert to the one settlement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.catalog import ModelKey
from gateway.completion import ChatRequest, Chunk, Completion, Usage
from gateway.errors import GatewayError, LedgerUnavailable, NotFound, UpstreamError
from gateway.proxy.outcomes import OutcomeCollector, RequestEnd
from gateway.proxy.settlement import CostCalculator, estimated_usage
from gateway.proxy.settlement_retry import SettlementRetryQueue
from gateway.records import Attempt, AttemptStatus, RequestRecord, RequestStatus
from gateway.resilience import Candidate
from gateway.resilience.failure_classes import FailureScope, failure_policy
from gateway.routing import AnswerFacts, Plan, PromptTurn, with_breakpoints
from gateway.store import InsertRequest, SettleRequest, Store, StoredOutcome, UpsertAttempt

log = logging.getLogger(__name__)
MOST_KINDS = 16  # of content that was dropped, for one answer
Observer = Callable[[RequestRecord], None]
Incomplete = Callable[
    [str, Sequence[str]], None
]  # a provider, and the kinds of content of its answer that were dropped


@dataclass(frozen=True, slots=True)
class LedgerServices:
    """Where an exchange is written down, and by which clocks: `clock` in monotonic seconds, `now` in UTC.

    `ending` tells whether the gateway itself is cutting what is open; `features` whether rows keep what the router saw;
    `unrecorded` whether requests without a budget are served while their rows can only be kept in `unsettled`.
    """

    store: Store
    cost_calculator: CostCalculator
    clock: Callable[[], float]
    now: Callable[[], datetime]
    outcome_collector: OutcomeCollector
    settlement_retries: SettlementRetryQueue
    observers: Sequence[Observer] = ()
    incomplete: Incomplete = lambda provider, kinds: None
    ending: Callable[[], bool] = lambda: False
    features: bool = True
    unrecorded: bool = False


@dataclass(frozen=True, slots=True)
class RejectedCompletion:
    """An answer that was paid for and not good enough: whose it was, as the row and as the attempt names them."""

    selected: tuple[str, str]
    usage: Usage
    key: ModelKey


class RequestTransaction:
    """Settles exactly once: `completed`, `failed`, `broken` or `cancelled`, whichever comes first."""

    def __init__(
        self, plan: Plan, request: ChatRequest, record: RequestRecord, *, services: LedgerServices, at: datetime
    ) -> None:
        self.plan = plan
        self.request = request
        self.record = record
        self._services = services
        self._began = services.clock()
        self._at = at
        self._attempts: list[Attempt] = []
        self._attempt_began = self._began
        self._first_byte: float | None = None
        self._upstream_id: str | None = None
        self._settled = False
        self._inserted = True
        self._kept = False
        self._turn: PromptTurn | None = None
        self._broke: list[ModelKey] = []
        self._rejected: list[RejectedCompletion] = []
        self._kept_usage: Usage | None = None
        self._answer: AnswerFacts | None = None
        self._dropped: list[str] = []

    @property
    def settled(self) -> bool:
        return self._settled

    async def begin(self) -> None:
        """Insert the row and hold the money; nothing may cost any before this is committed. Raises LedgerUnavailable, BudgetExceeded."""
        reservation = self.plan.reservation
        try:
            held = await self._services.store.write(
                InsertRequest(self.record, reservation.holds if reservation else ())
            )
        except LedgerUnavailable:
            if (reservation and reservation.holds) or not self._may_go_unrecorded:
                raise
            self._inserted, held = False, 0
        if reservation is not None:
            option = reservation.offers[held]
            self.plan = replace(self.plan, candidates=option.candidates)
            self.request = option.applied(self.request)
        self._turn = self._services.outcome_collector.on_request(self.plan, self.request, self.record)

    async def attempt(self, candidate: Candidate) -> None:
        """Another upstream is about to be called. The first is named by the row already."""
        self._attempt_began = self._services.clock()
        self._upstream_id = None
        attempt = Attempt(number=len(self._attempts) + 1, provider=candidate.provider, model=candidate.model)
        self._attempts.append(attempt)
        key = ModelKey(candidate.provider, candidate.model)
        if key != (self.record.selected_provider, self.record.selected_model):
            marker = self.plan.breakpoints.placed_by(key)
            self.record = self.record._replace(selected_provider=key[0], selected_model=key[1], cache_marks=marker)
        if attempt.number > 1 and self._inserted:
            await self._insert(attempt)

    def request_to(self, candidate: Candidate) -> ChatRequest:
        """What a candidate is asked: the client's request, with the gateway's cache breakpoints where that pays."""
        if self.plan.breakpoints.placed_by(ModelKey(candidate.provider, candidate.model)) != "gateway":
            return self.request
        return with_breakpoints(self.request)

    async def _insert(self, attempt: Attempt) -> None:
        try:
            await self._services.store.write(UpsertAttempt(self.record.request_id, attempt))
        except NotFound:
            self._inserted = False  # the file was replaced meanwhile; the settlement brings the whole row
        except LedgerUnavailable:
            if not self._may_go_unrecorded:
                raise

    def ledger_refused(self, error: GatewayError) -> None:
        """The ledger takes no more of this request, so the attempt that was next is not made. Nothing is awaited."""
        if self._attempts and not self._settled:
            self._close_attempt("failed_free", usage=None, error=error)
            self.record = self.record._replace(error_code=error.code or error.type)
            self._write("error", usage=self._billed_usage(), http_status=error.status)

    @property
    def _may_go_unrecorded(self) -> bool:
        """Whether the request is served though its row cannot be written now."""
        return self._services.unrecorded and not self._services.settlement_retries.full

    def attempt_failed(self, error: GatewayError) -> None:
        """The attempt is over; a later one may still answer, then the row says why this one did not."""
        maybe_billed = isinstance(error, UpstreamError) and error.maybe_billed
        usage = estimated_usage(self.request, answer_chars=0) if maybe_billed else None
        self._close_attempt("unknown_estimated" if maybe_billed else "failed_free", usage=usage, error=error)
        failed = self._attempts[-1]
        if isinstance(error, UpstreamError) and failure_policy(error).scope is FailureScope.DEPLOYMENT:
            self._broke.append(ModelKey(failed.provider, failed.model))
        self._note_fallback(error)
        self.record = self.record._replace(estimated=self.record.estimated or maybe_billed)

    def set_rejected(self, completion: Completion, *, answer_chars: int) -> None:
        """The answer came and is paid for, but breaks the form it had to have; a better model is asked."""
        usage = completion.usage or estimated_usage(self.request, answer_chars=answer_chars)
        error = GatewayError("The answer breaks the form that the request prescribes.", code="failed_validation")
        selected = (self.record.selected_provider, self.record.selected_model)
        self._rejected.append(RejectedCompletion(selected, usage, key=self.current))
        self._close_attempt("settled", usage=usage, error=error)
        self._note_fallback(error)

    def keep_rejected(self) -> None:
        """No better model answered, so the rejected answer is the best there is."""
        rejected = self._rejected.pop()
        provider, model = rejected.selected
        marker = self.plan.breakpoints.placed_by(rejected.key)
        self.record = self.record._replace(selected_provider=provider, selected_model=model, cache_marks=marker)
        self._kept_usage = rejected.usage

    @property
    def current(self) -> ModelKey:
        """Provider and model of the newest attempt."""
        return ModelKey(self._attempts[-1].provider, self._attempts[-1].model)

    @property
    def _fell_back(self) -> bool:
        """Whether more than one model was asked; the same one again is no fallback."""
        return len({(attempt.provider, attempt.model) for attempt in self._attempts}) > 1

    def _note_fallback(self, error: GatewayError) -> None:
        provider, model = self.current
        billed = " (may be billed)" if isinstance(error, UpstreamError) and error.maybe_billed else ""
        reason = self.record.fallback_reason or f"upstream: {provider}/{model} {error.code or error.type}{billed}"
        self.record = self.record._replace(fallback_reason=reason)

    def first_byte(self, answer: Completion | Chunk) -> None:
        """The answer's first byte is here: no other upstream will be asked. `answer` may say who gave it."""
        self._first_byte = self._services.clock() - self._began
        self._upstream_id = answer.upstream_id
        if answer.model is not None and answer.model != self.record.selected_model:
            self.record = self.record._replace(selected_model=answer.model)
        if len(self._attempts) > 1:  # a stream's headers are written from this
            self.record = self.record._replace(
                attempts=tuple(self._attempts), fallback_used=self.record.fallback_used or self._fell_back
            )

    def dropped(self, kinds: Sequence[str]) -> None:
        """The answer had content of these kinds, which OpenAI's shape has no place for."""
        for kind in kinds:
            if kind not in self._dropped and len(self._dropped) < MOST_KINDS:
                self._dropped.append(kind)

    async def completed(self, usage: Usage | None, *, answer_chars: int, answer: AnswerFacts) -> RequestRecord:
        """The answer is whole; returns once that is committed. Raises LedgerUnavailable."""
        self._answer = answer
        known = self._kept_usage
        if known is None:
            known = usage if usage is not None else estimated_usage(self.request, answer_chars=answer_chars)
            self._close_attempt("settled", usage=known)
        return await self._settle("ok", usage=known, http_status=200, finish_reason=answer.finish_reason)

    async def failed(self, error: GatewayError, *, begun: bool = False) -> RequestRecord:
        """No upstream answered: the client gets `error`, as an event where its stream has `begun` with status 200."""
        fallback = self.record.fallback_used or self._fell_back
        self.record = self.record._replace(error_code=error.code or error.type, fallback_used=fallback)
        return await self._settle("error", usage=self._billed_usage(), http_status=200 if begun else error.status)

    async def stream_failed(self, error: UpstreamError, usage: Usage | None, *, answer_chars: int) -> RequestRecord:
        """The stream broke after its first byte: what was received is charged as far as it is known."""
        known = usage if usage is not None else estimated_usage(self.request, answer_chars=answer_chars)
        known = known._replace(estimated=True)
        self._close_attempt("unknown_estimated", usage=known, error=error)
        self.record = self.record._replace(error_code=error.code or error.type)
        return await self._settle("error", usage=known, http_status=200)

    def cancelled(self, usage: Usage | None = None, *, answer_chars: int = 0) -> None:
        """The client left, or the gateway is ending. Nothing is awaited, so this is safe in a task that is being cancelled."""
        if self._settled:
            return
        known = None
        if self._attempts and self._attempts[-1].status == "reserved":
            known = usage if usage is not None else estimated_usage(self.request, answer_chars=answer_chars)
            known = known._replace(estimated=True)
            self._close_attempt("cancelled_estimated", usage=known)
        if self._services.ending():
            self.record = self.record._replace(error_code="interrupted")
            self._write("interrupted", usage=known, http_status=503)
        else:
            self._write("cancelled", usage=known, http_status=499)

    def _billed_usage(self) -> Usage | None:
        return next((attempt.usage for attempt in reversed(self._attempts) if attempt.usage is not None), None)

    def _close_attempt(self, status: AttemptStatus, *, usage: Usage | None, error: GatewayError | None = None) -> None:
        attempt = self._attempts[-1]
        self._attempts[-1] = attempt._replace(
            status=status,
            upstream_id=self._upstream_id,
            usage=usage,
            cost=self._price(attempt, usage),
            error=None if error is None else error.code or error.type,
            upstream_status=error.upstream_status if isinstance(error, UpstreamError) else None,
            first_byte=self._first_byte,
            duration=self._services.clock() - self._attempt_began,
        )

    def _price(self, attempt: Attempt, usage: Usage | None) -> Decimal | None:
        return (
            None
            if usage is None
            else self._services.cost_calculator.cost(usage, attempt.provider, attempt.model, at=self._at)
        )

    async def _settle(
        self, status: RequestStatus, *, usage: Usage | None, http_status: int, finish_reason: str | None = None
    ) -> RequestRecord:
        try:
            await self._write(status, usage=usage, http_status=http_status, finish_reason=finish_reason)
        except LedgerUnavailable:
            if not (self._services.unrecorded and self._kept):  # `_tell` was called before
                raise
        return self.record

    def _write(
        self, status: RequestStatus, *, usage: Usage | None, http_status: int, finish_reason: str | None = None
    ) -> asyncio.Future[None]:
        self._settled = True
        called = bool(self._attempts)
        if not called:  # nobody was called, which the first attempt has to say: the row named one
            first = Attempt(1, self.record.selected_provider, self.record.selected_model, status="failed_free")
            self._attempts.append(first)
        self.record = self._services.cost_calculator.settle(
            self.record,
            attempts=self._attempts,
            usage=usage,
            at=self._at,
            status=status,
            fallback_reason=self.record.fallback_reason if self.record.fallback_used else None,
            http_status=http_status,
            finish_reason=finish_reason,
            first_byte=self._first_byte,
            duration=self._services.clock() - self._began,
        )
        outcomes = self._outcomes() if called and status != "interrupted" else ()
        return self._services.store.write(SettleRequest(self.record, outcomes), then=self._on_commit)

    def _outcomes(self) -> Sequence[StoredOutcome]:
        """What the row teaches. A mistake of ours in that costs the lesson, not the row or the answer."""
        ending = RequestEnd(self._answer, broke=self._broke, rejected=[each.key for each in self._rejected])
        try:
            return self._services.outcome_collector.on_settled(
                self.plan, self.request, self.record, turn=self._turn, ending=ending
            )
        except Exception:  # a mistake of ours: the row and the answer matter more
            log.exception("nothing is learned from %s by a mistake of ours", self.record.request_id)
            return ()

    def _on_commit(self, error: BaseException | None) -> None:
        """The row is safe, whoever still waits for that: the observers may know."""
        if error is None:
            self._notify()
        elif isinstance(error, LedgerUnavailable) and self._services.settlement_retries.add(self.record, self._notify):
            self._kept = True
        else:
            log.error("the row of %s could not be settled: %s", self.record.request_id, error)

    def _notify(self) -> None:
        for observer in self._services.observers:
            observer(self.record)
        if self._dropped:
            self._services.incomplete(self.record.selected_provider, self._dropped)
