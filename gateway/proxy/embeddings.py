"""Serves a request for embeddings: plan, insert, call, price, settle. The named model answers, or an error.

A long list of inputs takes several calls of the provider, one after the other. They are one attempt: if one fails, the attempt
fails, and what the others cost is in its row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from gateway.completion import ChatRequest, Completion, Usage
from gateway.dialects.embeddings import ENDPOINT, embeddings_body
from gateway.embeddings import EmbeddingRequest, Embeddings, EncodingFormat, encoded
from gateway.errors import GatewayError, InvalidRequest, UpstreamError, UpstreamInvalidResponse
from gateway.providers.base import Provider
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.proxy.chat import ChatResult
from gateway.proxy.request_end import End
from gateway.proxy.response_fields import openai_usage, response_head
from gateway.proxy.services import LedgerServices
from gateway.proxy.settlement import ReceivedAnswer, new_record
from gateway.proxy.time_limits import RequestTimeLimits
from gateway.proxy.transaction import RequestTransaction
from gateway.proxy.upstream import ERROR_BODY_LIMIT, parse_json_object, with_encoded_body, with_headers
from gateway.records import RequestRecord
from gateway.resilience import AttemptSequence, Candidate, FailoverPolicy
from gateway.routing import Caller, Planner, input_tokens_of
from gateway.transport import Transport, UpstreamResponse


class EmbeddingProxy:
    """Serves embeddings; shares the planner, the providers and the ledger with `ChatProxy`."""

    def __init__(
        self,
        planner: Planner,
        providers: Mapping[str, Provider],
        *,
        transport: Transport,
        policy: FailoverPolicy,
        services: LedgerServices,
        times: RequestTimeLimits,
        worker: BodyExecutor | None = None,
    ) -> None:
        self._planner = planner
        self._providers = providers
        self._transport = transport
        self._policy = policy
        self._services = services
        self._times = times
        self._worker = worker or BodyExecutor()

    async def serve(self, request: EmbeddingRequest, *, request_id: str, caller: Caller) -> ChatResult:
        """Raises GatewayError before the row is inserted, ChatError after."""
        chat = request.as_chat()
        plan = self._planner.plan_named(chat, caller=caller)
        services, at = self._services, self._services.now()
        record = new_record(
            plan, chat, endpoint=ENDPOINT, request_id=request_id, at=at, caller=caller, features=services.features
        )
        async with RequestTransaction(plan, chat, record, services=services, at=at) as transaction:
            await transaction.begin()  # the row is inserted and the money held
            deadline = self._times.deadline(chat, plan.candidates)
            attempts = self._policy.begin(plan.candidates, pinned=True, deadline=deadline)
            answer = await self._call_until_answered(transaction, attempts, request)
            record = await transaction.finish(End.completed(answer.received))  # priced and committed
        return ChatResult(await self._worker.run(answer.size, partial(_response_body, answer, record, chat)), record)

    async def _call_until_answered(
        self, transaction: RequestTransaction, attempts: AttemptSequence, request: EmbeddingRequest
    ) -> EmbeddingCalls:
        """The vectors of all inputs. Raises the error of the last attempt."""
        while (candidate := attempts.next()) is not None:
            calls = EmbeddingCalls()
            transaction.receive_from(calls)
            try:
                await transaction.call(candidate)
                await self._call(transaction, candidate, request, calls, attempts)
            except InvalidRequest as error:
                transaction.call_failed(error, billed=calls.billed(error))
                attempts.unsupported(error)
            except UpstreamError as error:
                transaction.call_failed(error, billed=calls.billed(error))
                await asyncio.sleep(attempts.failed(error))
            except BaseException:
                attempts.abandoned()
                raise
            else:
                attempts.succeeded()
                transaction.first_byte(Completion((), calls.usage, upstream_id=calls.upstream_id))
                return calls
        raise attempts.exhausted()

    async def _call(
        self,
        transaction: RequestTransaction,
        candidate: Candidate,
        request: EmbeddingRequest,
        calls: EmbeddingCalls,
        attempts: AttemptSequence,
    ) -> None:
        """Call the provider for one part of the inputs after the other."""
        provider = self._providers[candidate.deployment]
        most = provider.max_embedding_inputs
        trace = transaction.trace_headers(provider.endpoint.trace_context)
        for start in range(0, len(request.inputs), most):
            part = request.part(start, start + most)
            calls.begin(tokens=await self._worker.run(part.size, partial(input_tokens_of, part.inputs)))
            found = await self._call_once(provider, candidate, part, remaining=attempts.remaining, trace=trace)
            calls.end(found)

    async def _call_once(
        self,
        provider: Provider,
        candidate: Candidate,
        request: EmbeddingRequest,
        *,
        remaining: float,
        trace: Mapping[str, str],
    ) -> EncodedAnswer:
        sent = with_headers(provider.build_embedding_request(request, candidate.model), trace)
        if request.size > LARGE:
            sent = await self._worker.run_in_thread(partial(with_encoded_body, sent, provider))
        timeouts = self._times.timeouts(request.as_chat(), candidate, remaining)
        response = await self._transport.send(sent, timeouts=timeouts)
        try:
            body = await _checked_body(response, provider)
        finally:
            await response.aclose()

        def parsed() -> EncodedAnswer:
            answer = provider.parse_embeddings(parse_json_object(body, provider=provider.name), sent)
            return EncodedAnswer.of(answer, request.encoding_format, size=len(body), provider=provider.name)

        return await self._worker.run(len(body), parsed)


async def _checked_body(response: UpstreamResponse, provider: Provider) -> bytes:
    """The body of a response with a 2xx status. Raises UpstreamError for another status."""
    if not 200 <= response.status < 300:
        raise provider.parse_error(response.status, response.headers, await response.read(limit=ERROR_BODY_LIMIT))
    return await response.read()


class EncodedAnswer(NamedTuple):
    """The answer of one call. Vectors are JSON already, a tenth of what lists of numbers take; `size` is in bytes."""

    vectors: list[bytes]
    usage: Usage | None
    upstream_id: str | None
    size: int

    @classmethod
    def of(cls, answer: Embeddings, encoding_format: EncodingFormat, *, size: int, provider: str) -> EncodedAnswer:
        """Raises UpstreamInvalidResponse for base64 that is no vector."""
        try:
            vectors = [orjson.dumps(encoded(vector, encoding_format)) for vector in answer.vectors]
        except ValueError as error:
            raise UpstreamInvalidResponse(
                f"{provider} sent a vector that cannot be read: {error}.", provider=provider
            ) from error
        return cls(vectors, answer.usage, answer.upstream_id, size)


class EmbeddingCalls:
    """The calls of one attempt: the vectors so far, what they cost, and the estimate of the call that is under way."""

    def __init__(self) -> None:
        self.vectors: list[bytes] = []
        self.upstream_id: str | None = None
        self.size = 0  # bytes of the provider's answers
        self.usage: Usage | None = None  # of the calls that have ended
        self._pending: Usage | None = None

    def begin(self, *, tokens: int) -> None:
        """A call with about this many tokens is made."""
        self._pending = Usage(prompt_tokens=tokens, estimated=True)

    def end(self, answer: EncodedAnswer) -> None:
        """The call has brought its vectors. Its usage is estimated where the provider reports none."""
        self.vectors += answer.vectors
        self.size += answer.size
        self.upstream_id = self.upstream_id or answer.upstream_id
        usage, self._pending = answer.usage or self._pending, None
        self.usage = usage if self.usage is None or usage is None else _sum(self.usage, usage)

    def billed(self, error: GatewayError) -> Usage | None:
        """What the attempt costs after `error`: the calls that have ended, and the one that failed where it may be billed."""
        return self.received.usage if isinstance(error, UpstreamError) and error.maybe_billed else self.usage

    @property
    def received(self) -> ReceivedAnswer:
        """With the call that is under way: it is charged even if nobody waits for its answer."""
        if self._pending is None or self.usage is None:
            return ReceivedAnswer(self.usage or self._pending)
        return ReceivedAnswer(_sum(self.usage, self._pending))


def _sum(first: Usage, second: Usage) -> Usage:
    """The usage of two calls. Its cost is known only where both reported one."""
    costs = (first.reported_cost, second.reported_cost)
    return Usage(
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        cached_tokens=first.cached_tokens + second.cached_tokens,
        reported_cost=None if costs[0] is None or costs[1] is None else costs[0] + costs[1],
        raw={"calls": [raw for raw in (*first.raw.get("calls", [first.raw]), second.raw) if raw]},
        estimated=first.estimated or second.estimated,
    )


def _response_body(answer: EmbeddingCalls, record: RequestRecord, chat: ChatRequest) -> bytes:
    items: list[Any] = [orjson.Fragment(vector) for vector in answer.vectors]
    head = response_head(record, chat, created=0)
    return orjson.dumps(embeddings_body(items, model=head.model, usage=openai_usage(record)))
