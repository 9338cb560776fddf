"""Writes the response of a completion: a whole answer, a stream of events, or an error before or after the first byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from gateway.api.client import RawRequest
from gateway.api.errors import error_response
from gateway.api.headers import cost_headers, decision_head, encode_headers, gateway_headers, header_text
from gateway.dialects import Dialect
from gateway.errors import GatewayError
from gateway.proxy import BufferedStream, ChatResult, ChatStream
from gateway.records import RequestRecord
from gateway.sse import COMMENT

KEEP_ALIVE = 10.0  # seconds of silence after which a stream gets a comment
JSON = "content-type: application/json\r\n"
# The last line keeps nginx from buffering the stream.
SSE = "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache, no-store\r\nx-accel-buffering: no\r\n"


class ResponseWriter:
    """Writes to one client. `finishing` is True once the last bytes are being sent. The owner calls `close` in the end.

    `dialect` is the one of the route; once the request is parsed, its own may replace it.

    A stream begins with its first content, or after `keep_alive` seconds without: then the head has only the headers that
    are known from the decision, and comments follow until there is content or an error.
    """

    __slots__ = (
        "_client",
        "_head",
        "_keep_alive",
        "_request_id",
        "_started",
        "_stream",
        "_streaming",
        "_ticker",
        "dialect",
        "finishing",
    )

    def __init__(
        self, client: RawRequest, request_id: str, *, dialect: Dialect, keep_alive: float = KEEP_ALIVE
    ) -> None:
        self._client = client
        self.dialect = dialect
        self._request_id = request_id
        self._head = f"x-request-id: {request_id}\r\n"
        if dialect.request_id_header:
            self._head += f"{dialect.request_id_header}: {request_id}\r\n"
        self._stream: ChatStream | BufferedStream | None = None
        self._keep_alive = keep_alive
        self._ticker: KeepAlive | None = None
        self._started = False
        self._streaming = False
        self.finishing = False

    @property
    def started(self) -> bool:
        """Whether the client has received a status."""
        return self._started

    def tell_dropped(self, members: Sequence[str]) -> None:
        """Say in a header which members of the request are left out."""
        self._head += f"x-gateway-dropped: {header_text(', '.join(members))}\r\n"

    def on_routed(self, record: RequestRecord, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """A streamed request is recorded, so its response may begin."""
        begin = partial(self._begin_early, record)
        self._ticker = KeepAlive(self._client, interval=self._keep_alive, begin=begin, loop=loop)

    def close(self) -> None:
        """Send no more comments."""
        if self._ticker is not None:
            self._ticker.stop()

    async def send(self, served: ChatResult | ChatStream | BufferedStream) -> None:
        """Send a whole answer, or a stream to its end. The stream is closed in any case."""
        if isinstance(served, ChatResult):
            head = f"{self._head}{gateway_headers(served.record)}{cost_headers(served.record)}{JSON}"
            self._started = self.finishing = True
            await self._client.respond(200, head.encode("latin-1"), served.body)
            return
        self._stream = served
        try:
            if self._ticker is None:
                self._ticker = KeepAlive(self._client, interval=self._keep_alive)
            if self._started:
                await self._ticker.on_activity()  # the head goes out with the first comment
            else:
                await self._begin(gateway_headers(served.record))
                self._ticker.started()
            self._ticker.watch(served)
            await served.send_to(self._client)
            self._ticker.stop()
            await self._end()
        finally:
            self.close()
            await served.aclose()

    async def _begin(self, head: str) -> None:
        self._started = self._streaming = True
        await self._client.begin(f"{self._head}{head}{SSE}".encode("latin-1"))

    async def _begin_early(self, record: RequestRecord) -> bool:
        """Begin without content; False if the response has begun meanwhile."""
        if self._started:
            return False
        await self._begin(decision_head(record))
        return True

    async def send_error(self, error: GatewayError, head: str = "") -> None:
        """Send an error: as the response, or as the last event of a stream. A whole answer that has begun can only be cut."""
        if not self._started:
            self._started = True
            self.close()
            response = error_response(error, dialect=self.dialect, request_id=self._request_id)
            headers = encode_headers(header for header in response.raw_headers if header[0] != b"content-length")
            head = f"{self._head}{head}"
            await self._client.respond(response.status_code, head.encode("latin-1") + headers, bytes(response.body))
        elif self._streaming and self._ticker is not None:
            await self._ticker.on_activity()
            self._ticker.stop()
            await self._client.send(self._error_events(error))
            await self._end()

    def _error_events(self, error: GatewayError) -> bytes:
        if self._stream is not None:
            return self._stream.error_events(error)
        return self.dialect.early_error_events(error, request_id=self._request_id)

    async def _end(self) -> None:
        self.finishing = True
        await self._client.end()


class SentEvents(Protocol):
    @property
    def keep_alive(self) -> bytes:
        """What to send a client that has been sent nothing for some seconds."""

    @property
    def sent_at(self) -> float:
        """When the last event was sent, by the event loop's clock."""


class KeepAlive:
    """Sends an SSE comment, or the dialect's own event, whenever a client was sent nothing for `interval` seconds.

    A timer does this, so that a pending read of the upstream is never cancelled. `begin` is called before the first
    comment, which is omitted if it returns False.
    """

    __slots__ = ("_begin", "_client", "_comment", "_events", "_interval", "_last", "_loop", "_timer")

    def __init__(
        self,
        client: RawRequest,
        *,
        interval: float,
        begin: Callable[[], Awaitable[bool]] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._client = client
        self._begin = begin
        self._interval = interval
        self._loop = loop or asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(interval, self._tick)
        self._comment: asyncio.Task[None] | None = None
        self._events: SentEvents | None = None

    def watch(self, events: SentEvents) -> None:
        """From now on the events count, too."""
        self._events = events

    def started(self) -> None:
        """The response has begun without a comment."""
        self._begin = None

    async def on_activity(self) -> None:
        """Wait until no comment is being sent."""
        if self._comment is not None and not self._comment.done():
            await asyncio.wait([self._comment])

    def stop(self) -> None:
        self._timer.cancel()
        if self._comment is not None:
            self._comment.cancel()

    def _tick(self) -> None:
        if self._events is not None:
            self._last = max(self._last, self._events.sent_at)
        silent = self._loop.time() - self._last
        left = self._interval - silent
        if left <= 0:
            left = self._interval
            if self._comment is None or self._comment.done():  # else the client does not read
                self._comment = self._loop.create_task(self._send_comment())
        self._timer = self._loop.call_later(left, self._tick)

    async def _send_comment(self) -> None:
        begin, self._begin = self._begin, None
        if begin is None or await begin():
            self._last = self._loop.time()
            await self._client.send(COMMENT if self._events is None else self._events.keep_alive)
