"""One call of one upstream: asked, and its answer opened far enough to know that it is one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import orjson

from gateway.completion import ChatRequest, Chunk, Completion, Json, UpstreamRequest
from gateway.errors import TooLargeForProvider, UpstreamError, UpstreamInvalidResponse
from gateway.json_body import parse_answer
from gateway.long_json import dumps
from gateway.providers.base import Provider, StreamParser
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.sse import EventTooLarge, ServerSentEvent, SSEDecoder
from gateway.transport import Timeouts, Transport, UpstreamResponse
from gateway.transport.errors import timed_out

ChunkSink = Callable[[Sequence[Chunk]], bool]  # takes what a piece of a stream brings; whether it wants more
IntoLarge = Callable[[Sequence[Chunk]], Awaitable[bool]]  # the same for chunks that take long to write

ERROR_BODY_LIMIT = 1024 * 1024
STREAM_LIMIT = 256 * 1024 * 1024  # bytes; the longest answers of today's models take about 40 MB


class UpstreamStream:
    """An open stream, read up to its first content; its owner closes it."""

    __slots__ = (
        "_decoder",
        "_ended",
        "_events",
        "_failure",
        "_first",
        "_first_large",
        "_full",
        "_large",
        "_left",
        "_parser",
        "_provider",
        "_response",
        "_worker",
    )

    def __init__(
        self,
        response: UpstreamResponse,
        parser: StreamParser,
        *,
        provider: str,
        worker: BodyExecutor,
        limit: int = STREAM_LIMIT,
    ) -> None:
        self._worker = worker
        self._response = response
        self._parser = parser
        self._provider = provider
        self._left = limit
        self._decoder = SSEDecoder()
        self._events: Iterator[ServerSentEvent] | None = None  # of the newest piece, while some are unread
        self._large: ServerSentEvent | None = None  # the next event, when it is to be parsed in a thread
        self._first: list[Chunk] = []
        self._first_large = False
        self._failure: UpstreamError | None = None
        self._ended = self._full = False

    async def peek(self) -> None:
        """Read until there is content to show. Raises the UpstreamError that may come before."""
        await self.stream_into(self._buffer)

    def _buffer(self, chunks: Sequence[Chunk]) -> bool:
        self._first += chunks
        return not any(_has_content(choice) for chunk in chunks for choice in chunk.choices)

    @property
    def first(self) -> Chunk:
        """The first chunk that has choices, once `peek` has found it; an empty one if the stream ended without."""
        return next((chunk for chunk in self._first if chunk.choices), Chunk())

    async def stream_into(self, into: ChunkSink, *, large: IntoLarge | None = None) -> bool:
        """Hand to `into` what each piece of the network brings, at once, until it wants no more; False once the stream has ended.

        What a large event brings goes to `large` where that is given. Raises UpstreamError where the stream breaks, once
        all that came before has been handed on.
        """
        self._full = False
        first, self._first = self._first, []
        if first:
            self._full = not (await large(first) if self._first_large and large is not None else into(first))
        while not self._full:
            if self._large is not None:
                await self._take_large(into, self._large, large=large)
            elif self._events is not None:
                self._read(into, self._events)
            elif self._failure is not None:
                raise self._failure
            elif self._ended:
                return False
            else:
                await self._receive(into)
        return True

    async def _receive(self, into: ChunkSink) -> None:
        try:
            self._ended = not await self._response.stream_into(partial(self._on_bytes, into))
        except UpstreamError as error:
            self._failure = error
        if self._ended:
            self._read(into, self._decoder.close())

    def _on_bytes(self, into: ChunkSink, piece: bytes) -> bool:
        """Read a piece of the network; whether another is wanted. A failure is kept until `pour` may tell it."""
        self._left -= len(piece)
        if self._left >= 0 and self._decoder.between and (chunk := self._parser.fast_path(piece)) is not None:
            self._full = not into((chunk,))
        else:
            self._read(into, self._decoder.feed(piece))
        return not self._full and self._failure is None and self._large is None

    def _read(self, into: ChunkSink, events: Iterator[ServerSentEvent]) -> None:
        """Parse and hand on these events, up to a large one. After the stream's last come the chunks that the parser held back."""
        self._events = None
        chunks: list[Chunk] = []
        try:
            for event in events:
                if len(event.data) > LARGE:
                    self._large, self._events = event, events
                    break
                chunks += self._parser.feed(event)
            else:
                if self._ended:
                    chunks += self._parser.close()
                if self._left < 0:
                    raise UpstreamInvalidResponse(f"{self._provider} did not come to an end.", provider=self._provider)
        except EventTooLarge as error:
            self._failure = UpstreamInvalidResponse(f"{self._provider}: {error}.", provider=self._provider)
        except UpstreamError as error:
            self._failure = error
        if chunks:
            self._full = not into(chunks)

    async def _take_large(self, into: ChunkSink, event: ServerSentEvent, *, large: IntoLarge | None) -> None:
        self._large = None
        try:
            chunks = await self._worker.run(len(event.data), partial(self._parser.feed, event))
        except UpstreamError as error:
            self._failure, self._events = error, None
            return
        if chunks and large is not None:
            self._full = not await large(chunks)
        elif chunks:
            self._first_large = True
            self._full = not into(chunks)

    async def aclose(self) -> None:
        """End the connection; without having read to the end it is not used again."""
        await self._response.aclose()


async def call_upstream(
    provider: Provider,
    request: ChatRequest,
    model: str,
    *,
    transport: Transport,
    timeouts: Timeouts,
    worker: BodyExecutor,
) -> Completion | UpstreamStream:
    """Send `request` to `model` and open the answer; what is large is translated by `worker`. Raises InvalidRequest, UpstreamError.

    A stream has `first_byte` until its first content, whatever else comes before; `idle` holds from then on.
    """
    sent = await worker.run(request.size, partial(_translated, provider, request, model))
    first_by = asyncio.get_running_loop().time() + timeouts.first_byte
    opening = timeouts._replace(idle=timeouts.first_byte) if sent.stream else timeouts
    response = await transport.send(sent, timeouts=opening)
    opened = False
    try:
        if not 200 <= response.status < 300:
            raise provider.parse_error(response.status, response.headers, await response.read(limit=ERROR_BODY_LIMIT))
        if not sent.stream:
            return await _read_completion(provider, sent, await response.read(), worker=worker)
        if not response.headers.get("content-type", "text/event-stream").startswith("text/event-stream"):
            # Not a stream: an error told with status 200, or garbage. A dialect's own error is raised by its parser.
            await _read_completion(provider, sent, await response.read(limit=ERROR_BODY_LIMIT), worker=worker)
            raise UpstreamInvalidResponse(
                f"{provider.name} answered a streamed request without a stream.", provider=provider.name
            )
        stream = UpstreamStream(response, provider.stream_parser(sent), provider=provider.name, worker=worker)
        try:
            async with asyncio.timeout_at(first_by):
                await stream.peek()
        except TimeoutError as error:
            raise timed_out(provider.name, seconds=timeouts.first_byte) from error
        response.allow_silence(timeouts.idle)
        opened = True
        return stream
    finally:
        if not opened:
            await response.aclose()


def _translated(provider: Provider, request: ChatRequest, model: str) -> UpstreamRequest:
    """The request in the provider's dialect; a large one is written out here, where it holds nobody up."""
    sent = provider.build_request(request, model)
    if request.size <= LARGE:
        return sent
    encoded = dumps(sent.json)
    limit = provider.max_request_bytes
    if limit is not None and len(encoded) > limit:
        raise TooLargeForProvider(
            f"{provider.name} takes requests of at most {limit} bytes; this one has {len(encoded)} in its dialect. "
            "Send fewer or smaller files."
        )
    return sent._replace(encoded=encoded)


def _has_content(choice: Json) -> bool:
    """Whether a step of a stream says more than that an answer begins."""
    if choice.get("finish_reason") is not None:
        return True
    return any(value for name, value in choice.get("delta", {}).items() if name != "role")


async def _read_completion(
    provider: Provider, sent: UpstreamRequest, body: bytes, *, worker: BodyExecutor
) -> Completion:
    """The answer; a large one is parsed by `worker`."""
    completion = await worker.run(len(body), partial(_completion, provider, sent, body))
    return completion._replace(large=True) if len(body) > LARGE else completion


def _completion(provider: Provider, sent: UpstreamRequest, body: bytes) -> Completion:
    try:
        parsed: Any = parse_answer(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalidResponse(
            f"{provider.name} answered something that cannot be read as JSON: {error.msg}.", provider=provider.name
        ) from error
    if not isinstance(parsed, dict):
        raise UpstreamInvalidResponse(f"{provider.name} answered JSON that is no object.", provider=provider.name)
    return provider.parse_response(parsed, sent)
