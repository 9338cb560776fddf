"""One client-side HTTP/1.1 connection: an asyncio protocol around the httptools parser, one request at a time."""

from __future__ import annotations

import asyncio
import math
import re
import select
from collections.abc import Sequence
from enum import Enum

import httptools

from gateway.transport.base import Sink

# Limit of bytes without body progress: the headers, and later chunk headers and trailers.
MAX_HEAD = 64 * 1024
# Above this many received and unread bytes, the socket is not read.
MAX_BUFFERED = 256 * 1024
_KEEP_ALIVE = re.compile(rb"timeout\s*=\s*([0-9]{1,9})")


class End(Enum):
    """How a response ended."""

    COMPLETE = "the whole response was received"
    PROTOCOL_ERROR = "the bytes are not HTTP, or the headers are too large"
    LOST = "the connection was closed"


class HeadTooLarge(Exception):
    """Raised inside a parser callback, so that the parser stops."""


class InvalidHead(Exception):
    """Raised inside a parser callback: the status is not 100 to 599, or the transfer coding was not requested."""


class Http1Connection(asyncio.Protocol):
    """Sends one request at a time and receives its response. A byte that arrives while it is idle makes it unusable.

    State of the current request: `sent` (bytes were written), `started` (a byte of the response arrived),
    `headers_received`, then `status` and `headers` (lower-case names); `paused` (the sink refused more), `end` (None until
    the response ended). State of the connection: `closed_by` (the exception that closed it), `idle_since` (loop time).
    """

    __slots__ = (
        "_buffered_bytes",
        "_chunks",
        "_deadline",
        "_has_length",
        "_head_size",
        "_idle",
        "_idle_timeout",
        "_loop",
        "_made_progress",
        "_overhead",
        "_parser",
        "_reading_paused",
        "_sink",
        "_timer",
        "_transport",
        "_unexpected_bytes",
        "_upstream_keeps_alive",
        "_wait_until",
        "_waiter",
        "closed_by",
        "end",
        "headers",
        "headers_received",
        "idle_since",
        "paused",
        "sent",
        "started",
        "status",
    )  # fmt: skip

    _transport: asyncio.Transport  # set by connection_made, before anyone uses the connection

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wait_until = self._deadline = self._idle_timeout = 0.0
        self._sink: Sink | None = None
        self.idle_since = 0.0
        self.closed_by: Exception | None = None
        self._idle = True
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.headers_received = False
        self.sent = False
        self.started = False
        self.end: End | None = None
        self.paused = False
        self._has_length = False
        self._upstream_keeps_alive = False
        self._unexpected_bytes = False
        self._reading_paused = False
        self._head_size = 0
        self._overhead = 0
        self._made_progress = False
        self._chunks: list[bytes] = []
        self._buffered_bytes = 0

    # Called by the transport

    def send(self, request: Sequence[bytes]) -> None:
        """Write a request, given in pieces, and reset the response state. A closed connection writes nothing."""
        self._reset()
        self._idle = False
        if self.is_open:
            self.sent = True
            self._transport.writelines(request)
        elif self.closed_by is not None:
            self.end = End.LOST

    def read_buffered(self) -> bytes:
        """Return the body bytes received since the last call, and resume reading if it was paused."""
        if not self._chunks:
            return b""
        piece = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered_bytes = 0
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()
        return piece

    def wait(self, until: float) -> asyncio.Future[bool]:
        """A future: True once something happens, False when the loop's clock reaches `until` first.

        One timer serves many waits, also those of later requests. It is restarted only for an earlier deadline; when it
        fires it checks the current one.
        """
        self._waiter = waiter = self._loop.create_future()
        self._sink = None
        self._wait_until = until
        if self._timer is None or self._timer.when() > until:
            self._start_timer(until)
        return waiter

    def stream_into(self, sink: Sink, *, idle_timeout: float, deadline: float) -> asyncio.Future[bool]:
        """Wait, and pass each body chunk to `sink` from the event loop, without waking the waiting task.

        The future is done at the end of the response, or when `sink` refuses more (`paused`). Each chunk moves the deadline
        to `idle_timeout` seconds later, at most to `deadline` (loop time).
        """
        waiter = self.wait(min(self._loop.time() + idle_timeout, deadline))
        self._sink, self._idle_timeout, self._deadline = sink, idle_timeout, deadline
        self.paused = False
        return waiter

    def _start_timer(self, until: float) -> None:
        self._cancel_timer()
        self._timer = self._loop.call_at(until, self._on_timer)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._wait_until:
            self._wake(False)
        else:
            self._start_timer(self._wait_until)

    @property
    def is_open(self) -> bool:
        return self.closed_by is None and not self._transport.is_closing()

    @property
    def is_available(self) -> bool:
        """Open, and the socket has nothing to read: no bytes and no EOF that the event loop has not reported yet.

        Check it while the connection is idle, just before a request is written.
        """
        if not self.is_open:
            return False
        socket = self._transport.get_extra_info("socket")
        if socket is None:
            return True
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    @property
    def is_reusable(self) -> bool:
        """Request and response are complete, and the upstream keeps the connection open."""
        return (
            self.end is End.COMPLETE
            and self._upstream_keeps_alive
            and not self._unexpected_bytes
            and self.is_open
            and self._transport.get_write_buffer_size() == 0
        )

    @property
    def keep_alive(self) -> float:
        """Seconds after `idle_since` for which the upstream keeps the connection (`Keep-Alive: timeout`), minus one for latency.

        Infinite where the upstream sends no such header.
        """
        timeout = _KEEP_ALIVE.search(self.headers[b"keep-alive"]) if b"keep-alive" in self.headers else None
        return math.inf if timeout is None else int(timeout[1]) - 1.0

    def park(self) -> None:
        """Mark the connection as idle."""
        self._idle = True
        self.idle_since = self._loop.time()
        self.read_buffered()

    def drop(self) -> None:
        """Close the connection at once, in any state."""
        if self.end is None:
            self.end = End.LOST
        self._cancel_timer()
        self._transport.abort()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection gives a Transport; uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        if self._idle or self.end is not None:
            self._unexpected_bytes = True
            self.drop()
            return
        self.started = True
        self._made_progress = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail()
        self._overhead = 0 if self._made_progress else self._overhead + len(data)
        if self._overhead > MAX_HEAD and self.end is None:
            self._fail()
        if self._sink is not None and self._deliver(self._sink):
            return
        if self._buffered_bytes > MAX_BUFFERED and not self._reading_paused and self.is_open:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake(True)

    def _deliver(self, sink: Sink) -> bool:
        """Pass the received bytes to the sink. Returns False where the waiting task has to be woken."""
        if self.end is not None or self._waiter is None or self._waiter.done():
            return False
        try:
            self.paused = bool(self._chunks) and not sink(self.read_buffered())
        except Exception as error:  # raised in the waiting task, not in the socket callback
            self._waiter.set_exception(error)
            return False
        self._wait_until = min(self._loop.time() + self._idle_timeout, self._deadline)
        return not self.paused

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed_by = exc if exc is not None else ConnectionError("closed by the upstream")
        if self.end is None:
            # A body without a length ends with its connection, unless the connection failed.
            self.end = End.COMPLETE if exc is None and self.headers_received and not self._has_length else End.LOST
        self._cancel_timer()
        self._wake(True)

    # Called by the parser

    def on_message_begin(self) -> None:
        if self.end is not None:
            self._unexpected_bytes = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        if self._head_size > MAX_HEAD:
            raise HeadTooLarge
        if self.headers_received:
            return  # trailers, or a second response
        key = name.lower()
        self.headers[key] = b"%b, %b" % (self.headers[key], value) if key in self.headers else value

    def on_headers_complete(self) -> None:
        if self.headers_received:
            return
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:
            raise InvalidHead
        if status < 200:
            self.headers = {}
            return
        if self.headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise InvalidHead
        self.status = status
        self.headers_received = True
        self._made_progress = True
        self._has_length = b"content-length" in self.headers or b"transfer-encoding" in self.headers

    def on_body(self, body: bytes) -> None:
        if self.end is None:
            self._made_progress = True
            self._chunks.append(body)
            self._buffered_bytes += len(body)

    def on_message_complete(self) -> None:
        if self.headers_received and self.end is None:
            self.end = End.COMPLETE
            self._upstream_keeps_alive = self._parser.should_keep_alive()

    def _fail(self) -> None:
        """End with a protocol error. After a complete response only the connection becomes unusable."""
        if self.end is None:
            self.end = End.PROTOCOL_ERROR
        self._unexpected_bytes = True
        self.drop()

    def _wake(self, in_time: bool) -> None:
        waiter, self._waiter, self._sink = self._waiter, None, None
        if waiter is not None and not waiter.done():
            waiter.set_result(in_time)
