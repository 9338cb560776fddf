"""One chat completion, top to bottom: plan, insert, ask, open, answer, price, settle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import orjson

from gateway.completion import ChatRequest, Chunk, Completion, Usage
from gateway.dialects.chat_completions.answers import ChunkWriter, completion_body
from gateway.errors import BudgetExceeded, GatewayError, InvalidRequest, LedgerUnavailable, UpstreamError, error_event
from gateway.long_json import dumps
from gateway.providers.base import Provider
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.escalation import Cascade
from gateway.proxy.settlement import CHARS_PER_TOKEN, answered_by, new_record, openai_usage
from gateway.proxy.time_limits import RequestTimeLimits
from gateway.proxy.transaction import LedgerServices, RequestTransaction
from gateway.proxy.upstream import UpstreamStream, call_upstream
from gateway.records import RequestRecord
from gateway.resilience import AttemptSequence, FailoverPolicy
from gateway.routing import AnswerCollector, Caller, Planner, RoutingMode, answer_of, check_format
from gateway.sse import DONE, encode
from gateway.transport import Transport


class ChatError(Exception):
    """A routed request that ended in `error`; its row is settled in `record`."""

    def __init__(self, error: GatewayError, record: RequestRecord) -> None:
        super().__init__(error.message)
        self.error = error
        self.record = record


class ChatResult(NamedTuple):
    """A whole answer, settled: JSON bytes ready to send."""

    body: bytes
    record: RequestRecord


class Waiting(Protocol):
    """Who keeps a streaming client company until there is an answer."""

    @property
    def started(self) -> bool:
        """Whether the client has got a status already."""

    def on_routed(self, record: RequestRecord) -> None:
        """The row is inserted, so the answer may begin."""


class ChatProxy:
    """Serves chat completions; owns nothing that it was given."""

    def __init__(
        self,
        planner: Planner,
        providers: Mapping[str, Provider],
        *,
        transport: Transport,
        policy: FailoverPolicy,
        services: LedgerServices,
        times: RequestTimeLimits,
        cascade: Cascade | None = None,
        worker: BodyExecutor | None = None,
    ) -> None:
        self._worker = worker or BodyExecutor()
        self._cascade = cascade
        self._planner = planner
        self._providers = providers
        self._transport = transport
        self._policy = policy
        self._services = services
        self._times = times

    async def serve(
        self,
        request: ChatRequest,
        *,
        request_id: str,
        mode: RoutingMode | None,
        caller: Caller,
        waiting: Waiting | None = None,
    ) -> ChatResult | ChatStream:
        """Raises ChatFailed once routed, GatewayError before. A ChatStream has to be closed by who gets it.

        `waiting` is told when a streamed request is recorded: from then on its answer may begin before there is content.
        """
        plan = self._planner.plan(request, mode=mode, caller=caller)
        at = self._services.now()
        record = new_record(
            plan, request, request_id=request_id, at=at, caller=caller, features=self._services.features
        )
        transaction = RequestTransaction(plan, request, record, services=self._services, at=at)
        try:
            await transaction.begin()
            if waiting is not None and request.stream:
                waiting.on_routed(transaction.record)
            candidates = transaction.plan.candidates
            deadline = self._times.deadline(request, candidates)
            opened, attempts = await self._call_until_answered(
                transaction, self._policy.begin(candidates, pinned=plan.pinned, deadline=deadline)
            )
            if isinstance(opened, UpstreamStream):
                return ChatStream(
                    transaction, opened, attempts, created=int(self._services.now().timestamp()), worker=self._worker
                )
            return await self._finish(transaction, await self._escalate_if_invalid(transaction, opened, attempts))
        except (LedgerUnavailable, BudgetExceeded) as error:
            transaction.ledger_refused(error)
            raise
        except GatewayError as error:
            begun = waiting is not None and waiting.started
            raise ChatError(error, await transaction.failed(error, begun=begun)) from error
        except asyncio.CancelledError:
            transaction.cancelled()
            raise
        except Exception:  # a mistake of ours: the row is closed all the same
            if not transaction.settled:
                await transaction.failed(GatewayError("The gateway failed.", code="internal_error"))
            raise

    async def _call_until_answered(
        self, transaction: RequestTransaction, attempts: AttemptSequence
    ) -> tuple[Completion | UpstreamStream, AttemptSequence]:
        while (candidate := attempts.next()) is not None:
            await transaction.attempt(candidate)
            try:
                opened = await call_upstream(
                    self._providers[candidate.deployment],
                    transaction.request_to(candidate),
                    candidate.model,
                    transport=self._transport,
                    timeouts=self._times.timeouts(transaction.request, candidate, attempts.remaining),
                    worker=self._worker,
                )
            except InvalidRequest as error:
                transaction.attempt_failed(error)
                attempts.unsupported(error)
            except UpstreamError as error:
                transaction.attempt_failed(error)
                await asyncio.sleep(attempts.failed(error))
            except BaseException:
                attempts.abandoned()
                raise
            else:
                attempts.succeeded()
                transaction.first_byte(opened.first if isinstance(opened, UpstreamStream) else opened)
                return opened, attempts
        raise attempts.exhausted()

    async def _escalate_if_invalid(
        self, transaction: RequestTransaction, completion: Completion, attempts: AttemptSequence
    ) -> Completion:
        """The completion, or one of the next tier where it breaks its prescribed form. Once; what no better model mends is kept."""
        if self._cascade is None or transaction.plan.mode is not RoutingMode.AUTO:
            return completion
        if check_format(transaction.request, completion.choices) != "broken":
            return completion
        better = attempts.escalate(self._cascade.next_tier(transaction.current, transaction.plan.candidates))
        if not better.open:
            return completion
        transaction.set_rejected(completion, answer_chars=_answer_chars(completion))
        try:
            opened, _ = await self._call_until_answered(transaction, better)
        except GatewayError:
            opened = None
        if isinstance(opened, Completion):
            return opened
        transaction.keep_rejected()
        return completion

    async def _finish(self, transaction: RequestTransaction, completion: Completion) -> ChatResult:
        transaction.dropped(completion.dropped)
        answer = answer_of(completion.choices, form=check_format(transaction.request, completion.choices))
        chars = _answer_chars(completion) if completion.usage is None else 0
        record = await transaction.completed(completion.usage, answer_chars=chars, answer=answer)
        body = completion_body(
            completion,
            id=completion_id(record),
            created=int(self._services.now().timestamp()),
            model=full_name(record),
            usage=openai_usage(record),
            legacy_functions=transaction.request.legacy_functions,
        )
        raw = await self._worker.run_in_thread(partial(dumps, body)) if completion.large else orjson.dumps(body)
        return ChatResult(raw, record)


class ChatStream:
    """An open streamed answer. Whoever serves it asks for `next` until nothing comes, and calls `aclose` whatever happens."""

    __slots__ = (
        "_attempts",
        "_chars",
        "_collector",
        "_finished",
        "_transaction",
        "_unsent",
        "_upstream",
        "_usage",
        "_worker",
        "_writer",
        "record",
    )

    def __init__(
        self,
        transaction: RequestTransaction,
        upstream: UpstreamStream,
        attempts: AttemptSequence,
        *,
        created: int,
        worker: BodyExecutor,
    ) -> None:
        self._worker = worker
        self._transaction = transaction
        self._upstream = upstream
        self._attempts = attempts
        self._usage: Usage | None = None
        self._chars = 0
        self._unsent = b""
        self._finished = False
        self._collector = AnswerCollector(transaction.request)
        self.record = transaction.record
        self._writer = ChunkWriter(
            id=completion_id(transaction.record),
            created=created,
            model=full_name(transaction.record),
            include_usage=transaction.request.include_usage,
            legacy_functions=transaction.request.legacy_functions,
        )

    async def next(self, option: Callable[[bytes], bool]) -> bytes:
        """Ready bytes, none once all were given; the last come after the row is committed.

        Most are not answered but given to `offer` as they come, until it does not take what it is offered: that is answered.
        A break ends with an error event and without [DONE].
        """
        if self._finished:
            return b""
        try:
            if await self._upstream.stream_into(
                partial(self._forward, option), large=partial(self._pass_on_large, option)
            ):
                return self._unsent
            self._finished = True
            answer = self._collector.answer()
            self.record = await self._transaction.completed(self._usage, answer_chars=self._chars, answer=answer)
        except UpstreamError as error:
            self._finished = True
            self._attempts.failed(error)
            self.record = await self._transaction.stream_failed(error, self._usage, answer_chars=self._chars)
            return encode(orjson.dumps(error_event(error)))
        except LedgerUnavailable as error:
            return encode(orjson.dumps(error_event(error)))
        if self._transaction.request.include_usage:
            return self._writer.usage(openai_usage(self.record), answered_by(self.record)) + DONE
        return DONE

    def _forward(self, option: Callable[[bytes], bool], chunks: Sequence[Chunk]) -> bool:
        return self._offered(option, self._written(chunks))

    async def _pass_on_large(self, option: Callable[[bytes], bool], chunks: Sequence[Chunk]) -> bool:
        """The same with the chunks written in a thread, so that the event loop goes on meanwhile."""
        return self._offered(option, await self._worker.run_in_thread(partial(self._written, chunks)))

    def _written(self, chunks: Sequence[Chunk]) -> bytes:
        return b"".join([self._write(chunk) for chunk in chunks])

    def _offered(self, option: Callable[[bytes], bool], out: bytes) -> bool:
        if not out or option(out):
            return True
        self._unsent = out
        return False

    def _write(self, chunk: Chunk) -> bytes:
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.dropped:
            self._transaction.dropped(chunk.dropped)
        for choice in chunk.choices:
            self._chars += len(chunk.text) if chunk.text is not None else _message_chars(choice.get("delta") or {})
            self._collector.add(choice)
        return self._writer.write(chunk)

    async def aclose(self) -> None:
        """End the upstream's stream, and settle the row as cancelled unless it is settled."""
        self._transaction.cancelled(self._usage, answer_chars=self._chars)
        await self._upstream.aclose()


def full_name(record: RequestRecord) -> str:
    """The answering model's full name, as in `response.model`."""
    return f"{record.selected_provider}/{record.selected_model}"


def completion_id(record: RequestRecord) -> str:
    """The completion's id, made from the request's."""
    return "chatcmpl-" + record.request_id.removeprefix("req_")


def _answer_chars(completion: Completion) -> int:
    return sum(_message_chars(choice.get("message") or {}) for choice in completion.choices)


# About 1,300 tokens, what a picture of 1024 x 1024 is billed as: https://ai.google.dev/gemini-api/docs/pricing
IMAGE_CHARS = 1_300 * CHARS_PER_TOKEN


def _message_chars(message: Mapping[str, Any]) -> int:
    """Characters of an answer or delta that were billed as output, roughly."""
    chars = len(message.get("content") or "") + len(message.get("reasoning_content") or "")
    for call in message.get("tool_calls") or ():
        chars += len((call.get("function") or {}).get("arguments") or "")
    return chars + IMAGE_CHARS * len(message.get("images") or ())
