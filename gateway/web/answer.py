"""What a client gets: one whole answer, a stream of events, or an error, before or after the first byte."""

from __future__ import annotations

import asyncio

import orjson

from gateway.errors import GatewayError, error_event
from gateway.proxy import ChatAnswer, ChatStream
from gateway.sse import encode
from gateway.web.client import Client
from gateway.web.errors import error_response
from gateway.web.headers import cost_head, gateway_head, lines

KEEP_ALIVE = 15.0  # seconds of silence after which a stream says that it is still there
COMMENT = b": keep-alive\n\n"
JSON = "content-type: application/json\r\n"
SSE = "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-store\r\n"


class Answer:
    """`last` is True from the moment the last of it is being sent; `keep_alive` is in seconds."""

    __slots__ = ("_client", "_head", "_keep_alive", "_started", "_streaming", "last")

    def __init__(self, client: Client, request_id: str, *, keep_alive: float = KEEP_ALIVE) -> None:
        self._client = client
        self._head = f"x-request-id: {request_id}\r\n"
        self._keep_alive = keep_alive
        self._started = False
        self._streaming = False
        self.last = False

    async def give(self, served: ChatAnswer | ChatStream) -> None:
        """Send a whole answer or a stream to its end; the stream is closed whatever happens."""
        if isinstance(served, ChatAnswer):
            head = f"{self._head}{gateway_head(served.record)}{cost_head(served.record)}{JSON}"
            self._started = self.last = True
            await self._client.respond(200, head.encode("latin-1"), served.body)
            return
        try:
            self._started = True
            await self._client.begin(f"{self._head}{gateway_head(served.record)}{SSE}".encode("latin-1"))
            await self._stream(served)
            await self._end()
        finally:
            await served.aclose()

    async def fail(self, error: GatewayError, head: str = "") -> None:
        """Tell the error: as an answer, or as the last event of a stream. A whole answer that was begun can only be cut."""
        if not self._started:
            response = error_response(error)
            told = lines(header for header in response.raw_headers if header[0] != b"content-length")
            head = f"{self._head}{head}"
            await self._client.respond(response.status_code, head.encode("latin-1") + told, bytes(response.body))
        elif self._streaming:
            await self._client.send(encode(orjson.dumps(error_event(error))))
            await self._end()

    async def _stream(self, served: ChatStream) -> None:
        self._streaming = True
        pulse = Pulse(self._client, interval=self._keep_alive)
        try:
            while piece := await served.next(pulse.offer):
                await pulse.send(piece)
        finally:
            pulse.stop()

    async def _end(self) -> None:
        self.last = True
        await self._client.end()


class Pulse:
    """Passes on whole events, and sends an SSE comment whenever there was none for `interval` seconds.

    A timer does that, so that a pending read of the upstream is never touched. The comments go out in turn with the events.
    """

    __slots__ = ("_client", "_comment", "_interval", "_last", "_loop", "_timer")

    def __init__(
        self,
        client: Client,
        *,
        interval: float,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._client = client
        self._interval = interval
        self._loop = loop or asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(interval, self._look)
        self._comment: asyncio.Task[None] | None = None

    def offer(self, piece: bytes) -> bool:
        self._last = self._loop.time()
        return self._client.offer(piece)

    async def send(self, piece: bytes) -> None:
        self._last = self._loop.time()
        await self._client.send(piece)

    def stop(self) -> None:
        self._timer.cancel()
        if self._comment is not None:
            self._comment.cancel()

    def _look(self) -> None:
        silent = self._loop.time() - self._last
        left = self._interval - silent
        if left <= 0:
            left = self._interval
            if self._comment is None or self._comment.done():  # else the client does not even read the one before
                self._comment = self._loop.create_task(self.send(COMMENT))
        self._timer = self._loop.call_later(left, self._look)
