"""The unit of work of one request: its row in the ledger, from the insert before the first call to the one settlement.

`transaction_state.py` has its states. Every request ends by `settle`; leaving `async with transaction` by an exception settles with the End
that belongs to the exception.

What happens at the commit is not visible in the code that settles:

    settle -> Store.write -> (writer's thread commits) -> _on_commit, in the event loop -> observers (metrics, log, learning)

`_on_commit` runs even if the task that served the request is cancelled meanwhile. If the ledger is unavailable it puts the
row into the `SettlementRetryQueue`, which calls the observers later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType

from gateway.catalog import ModelKey
from gateway.completion import ChatRequest, Chunk, Completion, RoutedConversation, Usage
from gateway.errors import BudgetExceeded, GatewayError, LedgerUnavailable, NotFound, UpstreamError
from gateway.proxy.attempt_log import AttemptLog, RejectedAnswer
from gateway.proxy.content import RequestContent
from gateway.proxy.receiver import PendingResponse, Receiver
from gateway.proxy.request_end import ChatError, End, code_of
from gateway.proxy.services import LedgerServices
from gateway.proxy.session_spending import session_spending
from gateway.proxy.settlement import ReceivedAnswer, received, usage_of
from gateway.proxy.transaction_state import TRANSITIONS, Event, State
from gateway.records import Agreement, Attempt, RequestRecord
from gateway.resilience import Candidate
from gateway.routing import Plan, PromptTurn, with_breakpoints
from gateway.store import InsertRequest, SettleRequest, StoredOutcome, UpsertAttempt
from gateway.trace_context import TraceForwarding

log = logging.getLogger(__name__)


class RequestTransaction:
    """One request. `record` is the row as it is known, `request` what is sent: the client's, within the spending limits.

    `content` collects what is kept of the prompt and the answer, None where nothing is.
    """

    def __init__(
        self,
        plan: Plan,
        request: ChatRequest,
        record: RequestRecord,
        *,
        services: LedgerServices,
        at: datetime,
        response: PendingResponse | None = None,
        content: RequestContent | None = None,
    ) -> None:
        self.content = content
        self.plan = plan
        self.request = request
        self.record = record
        self._services = services
        self._at = at
        self._response = response
        self._state = State.OPEN
        self._log = AttemptLog(services.cost_calculator, clock=services.clock, at=at)
        self._spans = None if record.trace is None else record.trace.spans
        if self._spans is not None:
            self._spans.row_began = self._log.began
        self._receiver: Receiver | None = None
        self._inserted = True
        self._queued_for_retry = False
        self._turn: PromptTurn | None = None
        self._kept_usage: Usage | None = None  # of a rejected answer that is sent anyway
        self._end: End | None = None
        self._conversation: RoutedConversation | None = None  # of the newest call

    async def __aenter__(self) -> RequestTransaction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Settle after an exception. Raises ChatError in place of a GatewayError, except where the ledger is what failed."""
        if error is None or self._state is State.SETTLED:
            return
        if isinstance(error, asyncio.CancelledError):
            self.abandon()
        elif isinstance(error, LedgerUnavailable | BudgetExceeded):
            if self._log.attempts:
                self.settle(End.ledger_refused(error))
        elif isinstance(error, GatewayError):
            raise ChatError(error, await self.finish(self._end_of(error))) from error
        elif isinstance(error, Exception):  # a bug: the row is settled anyway
            await self.finish(self._end_of(GatewayError("The gateway failed.", code="internal_error")))

    def _end_of(self, error: GatewayError) -> End:
        if self._state is State.ANSWERING:
            return End.stream_failed(error, self._received())
        return End.failed(error, begun=self._response is not None and self._response.started)

    def _move(self, event: Event) -> None:
        try:
            self._state = TRANSITIONS[self._state][event]
        except KeyError:
            raise RuntimeError(f"a request that is {self._state.value} has no transition {event!r}") from None

    async def begin(self) -> None:
        """Insert the row and hold the money, before anything can cost money. Raises LedgerUnavailable, BudgetExceeded."""
        reservation = self.plan.reservation
        written = self._services.store.write(InsertRequest(self.record, reservation.holds if reservation else ()))
        if self._spans is not None:
            written.add_done_callback(self._spans.begin("ledger insert").finished)
        try:
            held = await written
        except LedgerUnavailable:
            if (reservation and reservation.holds) or not self._may_go_unrecorded:
                raise
            self._inserted, held = False, 0
        if reservation is not None:
            option = reservation.options[held]
            self.plan = self.plan.within(option)
            self.request = option.applied(self.request)
            spending = await session_spending(self._services.store, reservation.holds, session=self.record.session_id)
            agreement = self.record.agreement if self.plan.asked else None
            if spending is not None or agreement is not self.record.agreement:
                self.record = self.record._replace(session_spending=spending, agreement=agreement)
        self._turn = self._services.outcome_collector.on_request(self.plan, self.request, self.record)
        if self._response is not None and self.request.stream:
            self._response.on_routed(self.record)

    async def call(self, candidate: Candidate) -> ChatRequest:
        """Record the next attempt; returns the request to send. Raises LedgerUnavailable, BudgetExceeded.

        The row names the first attempt already. A request to a model that needs them gets the gateway's cache breakpoints.
        """
        self._move("call")
        attempt = self._log.open(candidate)
        called = self._log.current
        if called != (self.record.selected_provider, self.record.selected_model):
            self._select(called, called)
        if attempt.number > 1 and self._inserted:
            await self._insert(attempt)
        request = with_breakpoints(self.request) if self.record.cache_marks == "gateway" else self.request
        if (hosts := self._services.host_affinity) is not None:
            request = hosts.prepare(request, called, session=self.plan.session, key_id=self.record.key_id)
        self._conversation = request.conversation
        return request

    def trace_headers(self, forwarding: TraceForwarding, *, attempt: int | None = None) -> Mapping[str, str]:
        """What the upstream of an attempt, by default the newest, is sent of the request's trace."""
        trace = self.record.trace
        return {} if trace is None else trace.headers(attempt or len(self._log.attempts), forwarding)

    async def ask(self, candidates: Sequence[Candidate]) -> list[ChatRequest]:
        """Record the next attempts, which are made at once; returns the request to send to each. Raises LedgerUnavailable."""
        self._move("ask")
        self._log.asked = frozenset(ModelKey(each.provider, each.model) for each in self.plan.asked[1:])
        requests = []
        for candidate in candidates:
            attempt = self._log.open(candidate)
            if attempt.number > 1 and self._inserted:
                await self._insert(attempt)
            marked = self.plan.breakpoints.placed_by(self._log.current) == "gateway"
            requests.append(with_breakpoints(self.request) if marked else self.request)
        return requests

    def asked_answered(self, number: int, completion: Completion) -> None:
        """One of the models that were asked at once has answered; `number` is that of its attempt."""
        self._log.close_asked(number, completion, usage=usage_of(self.request, received(completion)))

    def asked_failed(self, number: int, error: GatewayError) -> None:
        """One of the models that were asked at once did not answer."""
        maybe_billed = isinstance(error, UpstreamError) and error.maybe_billed
        usage = usage_of(self.request, ReceivedAnswer()) if maybe_billed else None
        self._log.close_asked(number, None, usage=usage, error=error)
        self.record = self.record._replace(estimated=self.record.estimated or maybe_billed)
        if number == 1:
            self._note_fallback(error, self._log.key_of(number))

    def asked_given_up(self) -> None:
        """What has not answered yet is not waited for any more."""
        self._log.cancel_asked(usage_of(self.request, ReceivedAnswer()))

    def compared(self, agreement: Agreement, *, told: str) -> None:
        """The answers are compared, or too few came; `told` says it in a sentence."""
        self._move("compare")
        self._log.first_byte = self._log.duration
        planned, reasoning = self.plan.ranking.agreement, self.record.reasoning or ""
        if planned is not None:
            reasoning = reasoning.removeprefix(planned.sentence).lstrip()
        self.record = self.record._replace(agreement=agreement, reasoning=f"{told} {reasoning}")

    def keep(self, number: int, completion: Completion, *, error: GatewayError | None = None) -> None:
        """The answer of an attempt among those asked is given; after `error` because the escalation did not answer."""
        if error is not None:
            self._drop_unmade(error)
        key = self._log.key_of(number)
        self._select(ModelKey(key.provider, completion.model or key.name), key)
        self.record = self.record._replace(fallback_used=self.record.fallback_used or self._log.fell_back)
        self._kept_usage = self._log.attempts[number - 1].usage

    def _select(self, selected: ModelKey, key: ModelKey) -> None:
        marker = self.plan.breakpoints.placed_by(key)
        self.record = self.record._replace(
            selected_provider=selected[0], selected_model=selected[1], cache_marks=marker
        )

    async def _insert(self, attempt: Attempt) -> None:
        written = self._services.store.write(UpsertAttempt(self.record.request_id, attempt))
        if self._spans is not None:
            written.add_done_callback(self._spans.begin("ledger attempt").finished)
        try:
            await written
        except NotFound:
            self._inserted = False  # the file was replaced meanwhile; the settlement writes the whole row
        except LedgerUnavailable:
            if not self._may_go_unrecorded:
                raise

    @property
    def _may_go_unrecorded(self) -> bool:
        """Whether the request is served though its row cannot be written now."""
        return self._services.unrecorded and not self._services.settlement_retries.full

    def call_failed(self, error: GatewayError, *, billed: Usage | None = None) -> None:
        """The call is over without an answer. If a later one answers, the row says why this one did not.

        `billed` is known to be charged: the earlier calls of an attempt that needs several.
        """
        self._move("fail")
        maybe_billed = isinstance(error, UpstreamError) and error.maybe_billed
        if billed is None and maybe_billed:
            billed = usage_of(self.request, ReceivedAnswer())
        self._log.failed(error, usage=billed)
        self._note_fallback(error, self.current)
        self.record = self.record._replace(estimated=self.record.estimated or maybe_billed)

    def first_byte(self, answer: Completion | Chunk) -> None:
        """The answer has begun, so no other upstream is called. `answer` may name the model that wrote it."""
        self._move("first_byte")
        self._log.answered(answer.upstream_id)
        if answer.model is not None and answer.model != self.record.selected_model:
            self.record = self.record._replace(selected_model=answer.model)
        if len(self._log.attempts) > 1:  # a stream's headers are written from this
            self.record = self.record._replace(
                attempts=tuple(self._log.attempts), fallback_used=self.record.fallback_used or self._log.fell_back
            )

    def receive_from(self, receiver: Receiver) -> None:
        """Ask `receiver` what came of the answer if the request ends before the answer is whole."""
        self._receiver = receiver

    def reject(self, completion: Completion) -> None:
        """The answer is paid for but fails validation; a better model is called."""
        self._move("reject")
        usage = usage_of(self.request, received(completion))
        error = GatewayError("The answer violates the format that the request prescribes.", code="failed_validation")
        selected = ModelKey(self.record.selected_provider, self.record.selected_model)
        self._log.rejected.append(RejectedAnswer(selected, self.current, usage))
        self._log.close("settled", usage=usage, error=error)
        self._note_fallback(error, self.current)

    def keep_rejected(self, error: GatewayError) -> None:
        """No better model answered, because of `error`, so the rejected answer is given."""
        self._drop_unmade(error)
        rejected = self._log.rejected.pop()
        self._select(rejected.selected, rejected.key)
        self._kept_usage = rejected.usage

    def _drop_unmade(self, error: GatewayError) -> None:
        """Close an attempt that the ledger did not take, so that it was not made."""
        if self._state is State.CALLING:
            self._move("fail")
            self._log.close("failed_free", usage=None, error=error)

    @property
    def current(self) -> ModelKey:
        """Provider and model of the newest attempt."""
        return self._log.current

    def _note_fallback(self, error: GatewayError, key: ModelKey) -> None:
        billed = " (may be billed)" if isinstance(error, UpstreamError) and error.maybe_billed else ""
        reason = self.record.fallback_reason or f"upstream: {key.full_name} {code_of(error)}{billed}"
        self.record = self.record._replace(fallback_reason=reason)

    def abandon(self) -> None:
        """Settle a request that nobody serves any more, unless it is settled. Awaits nothing: safe in a cancelled task."""
        if self._state is not State.SETTLED:
            self.settle(End.cancelled(self._received(), by_gateway=self._services.ending()))

    async def finish(self, end: End) -> RequestRecord:
        """Settle, and wait until the row is committed. Raises LedgerUnavailable, unless the row may be written later."""
        try:
            await self.settle(end)
        except LedgerUnavailable:
            if not (self._services.unrecorded and self._queued_for_retry):
                raise
        return self.record

    def settle(self, end: End) -> asyncio.Future[None]:
        """Price the row and give it to the ledger; the only way to end. The future is done at the commit and need not be awaited."""
        usage = self._close_open_attempt(end)
        self._move("settle")
        self._end = end
        called = bool(self._log.attempts)
        if not called:  # the row named a model that was not called
            first = Attempt(1, self.record.selected_provider, self.record.selected_model, status="failed_free")
            self._log.attempts.append(first)
        if end.status == "error" and end.attempt is None:
            self.record = self.record._replace(fallback_used=self.record.fallback_used or self._log.fell_back)
        self.record = self._services.cost_calculator.settle(
            self.record,
            plan=self.plan,
            request=self.request,
            attempts=self._log.attempts,
            usage=usage,
            at=self._at,
            began=self._log.began,
            status=end.status,
            error_code=end.error_code,
            fallback_reason=self.record.fallback_reason if self.record.fallback_used else None,
            http_status=end.http_status,
            finish_reason=None if end.answer is None else end.answer.finish_reason,
            first_byte=self._log.first_byte,
            duration=self._log.duration,
        )
        if self._conversation is not None and self._services.host_affinity is not None and end.status == "ok":
            self._services.host_affinity.record(self._conversation, self.current, usage)
        outcomes = self._outcomes(end) if called and end.status != "interrupted" else ()
        if self._spans is not None:
            self._spans.settle()
        return self._services.store.write(SettleRequest(self.record, outcomes), then=self._on_commit)

    def _close_open_attempt(self, end: End) -> Usage | None:
        """Close the attempt that is under way, if one is; returns the usage of the row."""
        if self._kept_usage is not None:
            return self._kept_usage
        if self._state is State.ASKING:
            made = end.attempt != "failed_free"
            self._log.cancel_asked(usage_of(self.request, ReceivedAnswer()) if made else None)
            return self._log.billed_usage
        if end.attempt is None:
            return self._log.billed_usage
        if self._state not in (State.CALLING, State.ANSWERING):
            return None
        if end.attempt == "failed_free":
            self._log.close(end.attempt, usage=None, error=end.error)
            return self._log.billed_usage
        usage = usage_of(self.request, end.received)
        if end.attempt != "settled":
            usage = usage._replace(estimated=True)
        self._log.close(end.attempt, usage=usage, error=end.error)
        return usage

    def _received(self) -> ReceivedAnswer:
        return ReceivedAnswer() if self._receiver is None else self._receiver.received

    def _outcomes(self, end: End) -> Sequence[StoredOutcome]:
        """What the router learns from the row."""
        try:
            return self._services.outcome_collector.on_settled(
                self.plan,
                self.request,
                self.record,
                turn=self._turn,
                answer=end.answer,
                failed=self._log.failed_models,
                rejected=[rejected.key for rejected in self._log.rejected],
            )
        except Exception:  # a bug: the row and the answer matter more than the outcome
            log.exception("nothing is learned from %s because of an internal error", self.record.request_id)
            return ()

    def _on_commit(self, error: BaseException | None) -> None:
        if self._spans is not None and self._spans.settling is not None:
            self._spans.settling.end(failed=error is not None)
        if error is None:
            self._notify()
        elif isinstance(error, LedgerUnavailable) and self._services.settlement_retries.add(self.record, self._notify):
            self._queued_for_retry = True
        else:
            log.error("the row of %s could not be settled: %s", self.record.request_id, error)

    def _notify(self) -> None:
        if self.content is not None:
            self.content.store(self.record)
        for observer in self._services.observers:
            observer(self.record)
        if self._end is not None and self._end.received.dropped:
            self._services.incomplete(self.record.selected_provider, self._end.received.dropped)
