"""Serves a chat completion: plan, insert, call, validate or compare, settle. `ChatProxy.serve` is the whole story.

Two things happen elsewhere. A client that leaves cancels the task that runs `serve` (`api/disconnect.py`), and the
transaction settles the row as cancelled. What follows the commit of the row is drawn in `transaction.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple, cast

import orjson

from gateway.catalog.model_effort import split_effort
from gateway.catalog.service_tier import STANDARD_RATES, rate_factor
from gateway.completion import ChatRequest, Completion
from gateway.dialects import Dialect, StreamWriter
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
)
from gateway.long_json import dumps
from gateway.providers.base import Provider
from gateway.proxy.agreement import AgreementCall
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.buffered_stream import BufferedStream, unstreamed
from gateway.proxy.judge import Judge
from gateway.proxy.receiver import PendingResponse
from gateway.proxy.request_end import End
from gateway.proxy.response_fields import openai_usage, response_head
from gateway.proxy.services import LedgerServices
from gateway.proxy.settlement import new_record, received
from gateway.proxy.stream import ChatStream
from gateway.proxy.time_limits import RequestTimeLimits
from gateway.proxy.transaction import RequestTransaction
from gateway.proxy.upstream import UpstreamStream, call_upstream
from gateway.records import RequestRecord
from gateway.resilience import AttemptSequence, Candidate, Cascade, FailoverPolicy
from gateway.routing import Caller, Plan, Planner, RoutingMode, Validity, answer_of, check_format
from gateway.transport import Transport

# Refusals of a service tier that cost nothing: no free capacity, or a model that does not have the tier.
_TIER_REFUSED = (UpstreamOverloaded, UpstreamRateLimited, UpstreamRejected)


class ChatResult(NamedTuple):
    """A whole answer, settled: JSON bytes ready to send."""

    body: bytes
    record: RequestRecord


class ChatProxy:
    """Serves chat completions. `cascade` says who is asked after an answer that fails validation.

    `judge` is set after the construction, since it asks its questions through the proxy itself.
    """

    def __init__(
        self,
        planner: Planner,
        providers: Mapping[str, Provider],
        *,
        transport: Transport,
        policy: FailoverPolicy,
        services: LedgerServices,
        times: RequestTimeLimits,
        cascade: Cascade,
        worker: BodyExecutor | None = None,
    ) -> None:
        self.judge: Judge | None = None
        self._planner = planner
        self._providers = providers
        self._transport = transport
        self._policy = policy
        self._services = services
        self._times = times
        self._cascade = cascade
        self._worker = worker or BodyExecutor()

    async def serve(
        self,
        request: ChatRequest,
        *,
        dialect: Dialect,
        request_id: str,
        mode: RoutingMode | None,
        caller: Caller,
        response: PendingResponse | None = None,
        before_end: Callable[[], Awaitable[None]] | None = None,
    ) -> ChatResult | ChatStream | BufferedStream:
        """Raises GatewayError before a model is chosen, ChatError after. The caller closes a ChatStream.

        The answer is written in `dialect`. `before_end` is awaited once the end of the answer is written and before the client is
        sent it. `response` is notified when a streamed request is recorded: from then on it may begin without content.
        """
        plan = self._plan(request, mode, caller)
        async with self._transaction(
            plan, request, dialect=dialect, request_id=request_id, caller=caller, response=response
        ) as transaction:
            await transaction.begin()  # the row is inserted and the money held
            attempts = self._attempts(transaction)
            if transaction.plan.asked:
                completion, validity = await self._agreement(transaction, attempts).answer()
            else:
                answer = await self._call_until_answered(transaction, attempts)
                if isinstance(answer, UpstreamStream):
                    return ChatStream(
                        transaction,
                        answer,
                        attempts,
                        writer=self._stream_writer(transaction, dialect),
                        worker=self._worker,
                        before_end=before_end,
                        judge=self.judge,
                    )
                completion, validity = await self._escalate_if_invalid(transaction, answer, attempts)
            facts = answer_of(completion.choices, validity=validity)
            if transaction.content is not None:
                for choice in completion.choices:
                    transaction.content.add(choice)
            record = await transaction.finish(End.completed(received(completion), facts))  # priced and committed
        if self.judge is not None and (transcript := self.judge.transcript(record)) is not None:
            for choice in completion.choices:
                transcript.add(choice)
            self.judge.rate_later(transaction.plan, transaction.request, record, transcript)
        if request.stream:  # its answer was compared with another one first
            writer = self._stream_writer(transaction, dialect)
            return BufferedStream(completion, record, writer=writer, before_end=before_end)
        result = ChatResult(await self._encode(completion, record, request, dialect), record)
        if before_end is not None:
            await before_end()
        return result

    def _plan(self, request: ChatRequest, mode: RoutingMode | None, caller: Caller) -> Plan:
        """The plan; how long it took is a span where the request has spans."""
        spans = None if caller.trace is None else caller.trace.spans
        if spans is None:
            return self._planner.plan(request, mode=mode, caller=caller)
        part = spans.begin("route")
        try:
            return self._planner.plan(request, mode=mode, caller=caller)
        finally:
            part.end()

    def _stream_writer(self, transaction: RequestTransaction, dialect: Dialect) -> StreamWriter:
        return dialect.stream_writer(response_head(transaction.record, transaction.request, created=self._unix_time()))

    def _agreement(self, transaction: RequestTransaction, attempts: AttemptSequence) -> AgreementCall:
        if transaction.request.stream:
            transaction.request = unstreamed(transaction.request)
        return AgreementCall(
            transaction,
            attempts,
            call=self._call,
            call_until_answered=self._call_until_answered,
            worker=self._worker,
        )

    def _transaction(
        self,
        plan: Plan,
        request: ChatRequest,
        *,
        dialect: Dialect,
        request_id: str,
        caller: Caller,
        response: PendingResponse | None,
    ) -> RequestTransaction:
        services, at = self._services, self._services.now()
        record = new_record(
            plan,
            request,
            endpoint=dialect.name,
            request_id=request_id,
            at=at,
            caller=caller,
            features=services.features,
        )
        content = None if services.content is None else services.content.begin(request)
        return RequestTransaction(plan, request, record, services=services, at=at, response=response, content=content)

    def _attempts(self, transaction: RequestTransaction) -> AttemptSequence:
        plan = transaction.plan
        deadline = self._times.deadline(transaction.request, plan.candidates)
        return self._policy.begin(plan.candidates, pinned=plan.pinned, deadline=deadline)

    async def _call_until_answered(
        self, transaction: RequestTransaction, attempts: AttemptSequence
    ) -> Completion | UpstreamStream:
        """The first answer that begins. Raises the error of the last attempt, or that of all."""
        while (candidate := attempts.next()) is not None:
            try:
                sent = await transaction.call(candidate)
                answer = await self._call(transaction, candidate, sent, remaining=attempts.remaining)
            except InvalidRequest as error:
                transaction.call_failed(error)
                attempts.unsupported(error)
            except UpstreamError as error:
                transaction.call_failed(error)
                await asyncio.sleep(attempts.failed(error))
            except BaseException:
                attempts.abandoned()
                raise
            else:
                attempts.succeeded()
                transaction.first_byte(answer.first if isinstance(answer, UpstreamStream) else answer)
                return answer
        raise attempts.exhausted()

    async def _call(
        self,
        transaction: RequestTransaction,
        candidate: Candidate,
        request: ChatRequest,
        *,
        remaining: float,
        attempt: int | None = None,
    ) -> Completion | UpstreamStream:
        """The answer in the tier that the request can wait for, else, where that is refused, in the usual one.

        `attempt` is the number of its attempt, None for the newest.
        """
        forwarding = self._providers[candidate.deployment].endpoint.trace_context
        send = partial(self._send, candidate, trace=transaction.trace_headers(forwarding, attempt=attempt))
        _, effort = split_effort(candidate.model)
        if effort is not None:
            request = request.with_effort(effort)
        tier = request.service_tier
        if "service_tier" in request.body or rate_factor(candidate.provider, tier) == STANDARD_RATES:
            return await send(request, remaining=remaining)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await send(request.with_service_tier(tier), remaining=remaining)
        except _TIER_REFUSED:
            remaining -= loop.time() - began
            return await send(request, remaining=remaining)

    async def _send(
        self, candidate: Candidate, request: ChatRequest, *, remaining: float, trace: Mapping[str, str]
    ) -> Completion | UpstreamStream:
        provider = self._providers[candidate.deployment]
        if request.limit_required and candidate.max_output is not None and not provider.speaks(request.native):
            request = request.limited(candidate.max_output)
        return await call_upstream(
            provider,
            request,
            split_effort(candidate.model)[0],
            transport=self._transport,
            timeouts=self._times.timeouts(request, candidate, remaining),
            worker=self._worker,
            trace=trace,
        )

    async def _escalate_if_invalid(
        self, transaction: RequestTransaction, completion: Completion, attempts: AttemptSequence
    ) -> tuple[Completion, Validity | None]:
        """The answer and its validity; under `auto`, one of the next tier if the answer violates its prescribed format.

        This is tried once. If no better model answers, the first answer is given.
        """
        validity = check_format(transaction.request, completion.choices)
        plan = transaction.plan
        if validity != "invalid" or plan.cascade == "off" or plan.mode is not RoutingMode.AUTO:
            return completion, validity
        better = attempts.escalate(self._cascade.next_tier(transaction.current, plan.candidates))
        if not better.open:
            return completion, validity
        transaction.reject(completion)
        try:
            # Only a streamed request has a streamed answer.
            escalated = cast(Completion, await self._call_until_answered(transaction, better))
        except GatewayError as error:
            transaction.keep_rejected(error)
            return completion, validity
        return escalated, check_format(transaction.request, escalated.choices)

    async def _encode(
        self, completion: Completion, record: RequestRecord, request: ChatRequest, dialect: Dialect
    ) -> bytes:
        head = response_head(record, request, created=self._unix_time())
        body = dialect.response_body(completion, head, usage=openai_usage(record))
        return await self._worker.run_in_thread(partial(dumps, body)) if completion.large else orjson.dumps(body)

    def _unix_time(self) -> int:
        return int(self._services.now().timestamp())
