"""What a client gets: one whole answer, a stream of events, or an error, before or after the first byte."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson
from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError, error_event
from gateway.proxy import ChatAnswer, ChatStream
from gateway.sse import encode
from gateway.web.errors import error_response
from gateway.web.headers import cost_headers, gateway_headers

KEEP_ALIVE = 15.0  # seconds of silence after which a stream says that it is still there
COMMENT: Message = {"type": "http.response.body", "body": b": keep-alive\n\n", "more_body": True}
SSE = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}


class Answer:
    """`last` is True from the moment the last message is being sent; `keep_alive` is in seconds."""

    __slots__ = ("_keep_alive", "_send", "_started", "_streaming", "headers", "last")

    def __init__(self, send: Send, headers: Mapping[str, str], *, keep_alive: float = KEEP_ALIVE) -> None:
        self._send = send
        self._keep_alive = keep_alive
        self._started = False
        self._streaming = False
        self.headers = dict(headers)
        self.last = False

    async def give(self, served: ChatAnswer | ChatStream) -> None:
        """Send a whole answer or a stream to its end; the stream is closed whatever happens."""
        if isinstance(served, ChatAnswer):
            headers = gateway_headers(served.record) | cost_headers(served.record)
            length = {"content-type": "application/json", "content-length": str(len(served.body))}
            await self._start(headers | length)
            await self._end(served.body)
            return
        try:
            await self._start(gateway_headers(served.record) | SSE)
            await self._stream(served)
            await self._end(b"")
        finally:
            await served.aclose()

    async def fail(self, error: GatewayError, headers: Mapping[str, str], scope: Scope, receive: Receive) -> None:
        """Tell the error: as an answer, or as the last event of a stream. A whole answer that was begun can only be cut."""
        if not self._started:
            await error_response(error, {**self.headers, **headers})(scope, receive, self._send)
        elif self._streaming:
            await self._send(_piece(encode(orjson.dumps(error_event(error)))))
            await self._end(b"")

    async def _stream(self, served: ChatStream) -> None:
        self._streaming = True
        pulse = Pulse(self._send, interval=self._keep_alive)
        try:
            async for piece in served.events():
                pulse.beat()
                await self._send(_piece(piece))
        finally:
            pulse.stop()

    async def _start(self, headers: Mapping[str, str]) -> None:
        self._started = True
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in {**self.headers, **headers}.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})

    async def _end(self, body: bytes) -> None:
        self.last = True
        await self._send({"type": "http.response.body", "body": body})


class Pulse:
    """Sends an SSE comment whenever nothing else was sent for `interval` seconds.

    It stands beside the stream, so that a pending read of the upstream is never touched. The comments go out in turn with
    the events, which are whole ones.
    """

    __slots__ = ("_comment", "_interval", "_last", "_loop", "_send", "_timer")

    def __init__(self, send: Send, *, interval: float, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._send = send
        self._interval = interval
        self._loop = loop or asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(interval, self._look)
        self._comment: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Something is being sent."""
        self._last = self._loop.time()

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
                self._comment = self._loop.create_task(self._speak())
        self._timer = self._loop.call_later(left, self._look)

    async def _speak(self) -> None:
        self.beat()
        await self._send(COMMENT)


def _piece(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
