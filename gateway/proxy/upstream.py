"""One call of one upstream: asked, and its answer opened far enough to know that it is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import Provider, StreamParser
from gateway.sse import EventTooLarge, SSEDecoder
from gateway.transport import Timeouts, Transport, UpstreamResponse
from gateway.wire import ChatRequest, Chunk, Completion, UpstreamRequest

ERROR_BODY_LIMIT = 1024 * 1024


class UpstreamStream:
    """An open stream, read up to its first meaningful chunk; its owner closes it."""

    def __init__(self, response: UpstreamResponse, parser: StreamParser, *, provider: str) -> None:
        self._response = response
        self._parser = parser
        self._provider = provider
        self._decoder = SSEDecoder()
        self._pieces = response.pieces().__aiter__()
        self._first: Sequence[Chunk] = ()
        self._ended = False

    async def peek(self) -> None:
        """Read until there is something to show. Raises the UpstreamError that the first event may be."""
        while not self._ended and not any(chunk.choices for chunk in self._first):
            self._first = [*self._first, *await self._next()]

    async def batches(self) -> AsyncIterator[Sequence[Chunk]]:
        """The chunks of each piece that the network delivers, at once. Raises UpstreamError when the stream breaks."""
        first, self._first = self._first, ()
        if first:
            yield first
        while not self._ended:
            yield await self._next()

    async def _next(self) -> Sequence[Chunk]:
        piece = await anext(self._pieces, None)
        try:
            if piece is None:
                self._ended = True
                rest = [chunk for event in self._decoder.close() for chunk in self._parser.feed(event)]
                return [*rest, *self._parser.close()]
            return [chunk for event in self._decoder.feed(piece) for chunk in self._parser.feed(event)]
        except EventTooLarge as error:
            raise UpstreamInvalidResponse(f"{self._provider}: {error}.", provider=self._provider) from error

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
