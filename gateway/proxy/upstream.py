"""One call of one upstream: asked, and its answer opened far enough to know that it is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.errors import UpstreamError, UpstreamInvalidResponse
from gateway.providers.base import Provider, StreamParser
from gateway.sse import EventTooLarge, SSEDecoder
from gateway.transport import Timeouts, Transport, UpstreamResponse
from gateway.wire import ChatRequest, Chunk, Completion, UpstreamRequest

ERROR_BODY_LIMIT = 1024 * 1024
STREAM_LIMIT = 256 * 1024 * 1024  # bytes; the longest answers of today's models take about 40 MB


class UpstreamStream:
    """An open stream, read up to its first meaningful chunk; its owner closes it."""

    __slots__ = ("_decoder", "_ended", "_failure", "_first", "_left", "_parser", "_provider", "_response")

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
        self._ended = False

    async def peek(self) -> None:
        """Read until there is something to show. Raises the UpstreamError that the first event may be."""
        while not self._ended and not any(chunk.choices for chunk in self._first):
            self._first += await self._next()
            if self._failure is not None and not any(chunk.choices for chunk in self._first):
                raise self._failure

    @property
    def first(self) -> Chunk:
        """The first chunk that has choices, once `peek` has found it; an empty one if the stream ended without."""
        return next((chunk for chunk in self._first if chunk.choices), Chunk())

    async def chunks(self) -> Sequence[Chunk]:
        """What the next piece of the network brings, at once; nothing when the stream has ended.

        Raises UpstreamError where the stream breaks, once all that came before has been given.
        """
        chunks, self._first = self._first, []
        while not chunks and not self._ended and self._failure is None:
            chunks = await self._next()
        if not chunks and self._failure is not None:
            raise self._failure
        return chunks

    async def _next(self) -> list[Chunk]:
        """What the next piece amounts to; a failure is kept until what came before it has been passed on."""
        chunks: list[Chunk] = []
        try:
            piece = await self._response.piece()
            if not piece:
                self._ended = True
                for event in self._decoder.close():
                    chunks += self._parser.feed(event)
                chunks += self._parser.close()
            else:
                self._left -= len(piece)
                for event in self._decoder.feed(piece):
                    chunks += self._parser.feed(event)
                if self._left < 0:
                    raise UpstreamInvalidResponse(f"{self._provider} did not come to an end.", provider=self._provider)
        except EventTooLarge as error:
            self._failure = UpstreamInvalidResponse(f"{self._provider}: {error}.", provider=self._provider)
        except UpstreamError as error:
            self._failure = error
        return chunks

    async def aclose(self) -> None:
        """End the connection; without having read to the end it is not used again."""
        await self._response.aclose()


async def ask(
    provider: Provider, request: ChatRequest, model: str, *, transport: Transport, timeouts: Timeouts
) -> Completion | UpstreamStream:
    """Send `request` to `model` and open the answer. Raises InvalidRequest, UpstreamError."""
    sent = provider.build_request(request, model)
    response = await transport.send(sent, timeouts=timeouts)
    opened = False
    try:
        if not 200 <= response.status < 300:
            raise provider.parse_error(response.status, response.headers, await response.read(limit=ERROR_BODY_LIMIT))
        if not sent.stream:
            return _completion(provider, sent, await response.read())
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


def _completion(provider: Provider, sent: UpstreamRequest, body: bytes) -> Completion:
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalidResponse(
            f"{provider.name} answered something that is not JSON.", provider=provider.name
        ) from error
    if not isinstance(parsed, dict):
        raise UpstreamInvalidResponse(f"{provider.name} answered JSON that is no object.", provider=provider.name)
    return provider.parse_response(parsed, sent)
