"""One call of one upstream: asked, and its answer opened far enough to know that it is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson

from gateway.errors import TooLargeForProvider, UpstreamError, UpstreamInvalidResponse
from gateway.providers.base import Provider, StreamParser
from gateway.proxy.worker import LARGE, Worker
from gateway.sse import EventTooLarge, SSEDecoder
from gateway.transport import Timeouts, Transport, UpstreamResponse
from gateway.wire import ChatRequest, Chunk, Completion, UpstreamRequest
from gateway.wire.body import parse_answer
from gateway.wire.long_json import dumps

Into = Callable[[Sequence[Chunk]], bool]  # takes what a piece of a stream brings; whether it wants more

ERROR_BODY_LIMIT = 1024 * 1024
STREAM_LIMIT = 256 * 1024 * 1024  # bytes; the longest answers of today's models take about 40 MB


class UpstreamStream:
    """An open stream, read up to its first meaningful chunk; its owner closes it."""

    __slots__ = (
        "_decoder",
        "_ended",
        "_failure",
        "_first",
        "_full",
        "_left",
        "_parser",
        "_provider",
        "_response",
    )

    def __init__(
        self, response: UpstreamResponse, parser: StreamParser, *, provider: str, limit: int = STREAM_LIMIT
    ) -> None:
        self._response = response
        self._parser = parser
        self._provider = provider
        self._left = limit
        self._decoder = SSEDecoder()
        self._first: list[Chunk] = []
        self._failure: UpstreamError | None = None
        self._ended = self._full = False

    async def peek(self) -> None:
        """Read until there is something to show. Raises the UpstreamError that the first event may be."""
        await self.pour(self._hold)

    def _hold(self, chunks: Sequence[Chunk]) -> bool:
        self._first += chunks
        return not any(chunk.choices for chunk in chunks)

    @property
    def first(self) -> Chunk:
        """The first chunk that has choices, once `peek` has found it; an empty one if the stream ended without."""
        return next((chunk for chunk in self._first if chunk.choices), Chunk())

    async def pour(self, into: Into) -> bool:
        """Hand to `into` what each piece of the network brings, at once, until it wants no more; False once the stream has ended.

        Raises UpstreamError where the stream breaks, once all that came before has been handed on.
        """
        self._full = False
        first, self._first = self._first, []
        if first:
            self._full = not into(first)
        while not self._full:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return False
            try:
                self._ended = not await self._response.pour(partial(self._take, into))
            except UpstreamError as error:
                self._failure = error
            if self._ended:
                self._take(into, b"")
        return True

    def _take(self, into: Into, piece: bytes) -> bool:
        """Read a piece of the network, or (none) the end; whether another is wanted. A failure is kept until `pour` may tell it."""
        decoder, parser = self._decoder, self._parser
        chunks: list[Chunk] = []
        try:
            if piece and decoder.between and (chunk := parser.at_once(piece)) is not None:
                chunks.append(chunk)
            else:
                for event in decoder.feed(piece) if piece else decoder.close():
                    chunks += parser.feed(event)
            if not piece:
                chunks += parser.close()
            self._left -= len(piece)
            if self._left < 0:
                raise UpstreamInvalidResponse(f"{self._provider} did not come to an end.", provider=self._provider)
        except EventTooLarge as error:
            self._failure = UpstreamInvalidResponse(f"{self._provider}: {error}.", provider=self._provider)
        except UpstreamError as error:
            self._failure = error
        if chunks:
            self._full = not into(chunks)
        return not self._full and self._failure is None

    async def aclose(self) -> None:
        """End the connection; without having read to the end it is not used again."""
        await self._response.aclose()


async def ask(
    provider: Provider,
    request: ChatRequest,
    model: str,
    *,
    transport: Transport,
    timeouts: Timeouts,
    worker: Worker,
) -> Completion | UpstreamStream:
    """Send `request` to `model` and open the answer; what is large is translated by `worker`. Raises InvalidRequest, UpstreamError."""
    sent = await worker.run(request.size, partial(_translated, provider, request, model))
    response = await transport.send(sent, timeouts=timeouts)
    opened = False
    try:
        if not 200 <= response.status < 300:
            raise provider.parse_error(response.status, response.headers, await response.read(limit=ERROR_BODY_LIMIT))
        if not sent.stream:
            body = await response.read()
            return await worker.run(len(body), partial(_completion, provider, sent, body))
        if not response.headers.get("content-type", "text/event-stream").startswith("text/event-stream"):
            # Not a stream: an error told with status 200, or garbage. A dialect's own error is raised by its parser.
            _completion(provider, sent, await response.read(limit=ERROR_BODY_LIMIT))
            raise UpstreamInvalidResponse(
                f"{provider.name} answered a streamed request without a stream.", provider=provider.name
            )
        stream = UpstreamStream(response, provider.stream_parser(sent), provider=provider.name)
        await stream.peek()
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
