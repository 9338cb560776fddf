"""One HTTP/1.1 connection of the lean engine: an asyncio protocol around httptools' parser, one exchange at a time."""

from __future__ import annotations

import asyncio
import math
import re
import select
from collections.abc import Sequence
from enum import Enum

import httptools

from gateway.transport.base import Sink

# Bytes that bring the body no further: the head, and later chunk headers and trailers.
MAX_HEAD = 64 * 1024
# Bytes received but not yet taken, above which the socket is not read.
MAX_BUFFERED = 256 * 1024
_KEEP_ALIVE = re.compile(rb"timeout\s*=\s*([0-9]{1,9})")


class End(Enum):
    """How an exchange ended."""

    COMPLETE = "the answer is whole"
    PROTOCOL_ERROR = "the bytes are not HTTP, or too many before the body"
    LOST = "the connection is gone"


class HeadTooLarge(Exception):
    """Raised towards the parser, which ends the exchange."""


class HeadRefused(Exception):
    """Raised towards the parser: a status that HTTP does not have, as 000, or a transfer coding that was not asked for."""


class Http1Connection(asyncio.Protocol):
    """Between exchanges it waits, and any byte or end that comes then makes it useless.

    Facts of the exchange: `status` and `headers` (once `headed`; names in lower case), `started` (a byte of the answer
    came), `end` (None while under way), `full` (what it was poured into wants no more), `lost` (what took the connection).
    `sent`: something of the request was written. `rested_at`, by the loop's clock, is when the last exchange was over.
    """

    __slots__ = (
        "_buffered",
        "_framed",
        "_head_size",
        "_idle",
        "_into",
        "_latest",
        "_loop",
        "_overhead",
        "_parser",
        "_paused",
        "_persists",
        "_pieces",
        "_progress",
        "_silence",
        "_surplus",
        "_timer",
        "_transport",
        "_until",
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

    _transport: asyncio.Transport  # from connection_made on, before which nobody has the connection

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = self._latest = self._silence = 0.0
        self._into: Sink | None = None
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
        self._framed = False
        self._persists = False
        self._surplus = False
        self._paused = False
        self._head_size = 0
        self._overhead = 0
        self._progress = False
        self._pieces: list[bytes] = []
        self._buffered = 0

    # What the engine does with it

    def begin(self, request: Sequence[bytes]) -> None:
        """Send a request, whose pieces need not be put together; the next answer is its. On a closed connection nothing is written."""
        self._reset()
        self._idle = False
        if self.usable:
            self.sent = True
            self._transport.writelines(request)
        elif self.closed_by is not None:
            self.end = End.LOST

    def take(self) -> bytes:
        """All that was received since the last time; reading goes on if it was held back."""
        if not self._pieces:
            return b""
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._buffered = 0
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
        return piece

    def wait(self, until: float) -> asyncio.Future[bool]:
        """Done with True once something happens, with False when it is `until` by the loop's clock and nothing has.

        A timer serves many waits, of later exchanges too: it is set anew only for an earlier end, and looks at the current
        one when it fires.
        """
        self._waiter = waiter = self._loop.create_future()
        self._into = None
        self._until = until
        if self._timer is None or self._timer.when() > until:
            self._time(until)
        return waiter

    def stream_into(self, into: Sink, *, silence: float, latest: float) -> asyncio.Future[bool]:
        """Wait, and hand to `into` what comes meanwhile, without waking who waits: that is left for the end, or until it is `full`.

        What comes puts the end of waiting off to `silence` seconds from then, never beyond `latest`.
        """
        waiter = self.wait(min(self._loop.time() + silence, latest))
        self._into, self._silence, self._latest = into, silence, latest
        self.paused = False
        return waiter

    def _time(self, until: float) -> None:
        self._untime()
        self._timer = self._loop.call_at(until, self._look)

    def _untime(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() >= self._until:
            self._wake(False)
        else:
            self._time(self._until)

    @property
    def usable(self) -> bool:
        return self.closed_by is None and not self._transport.is_closing()

    @property
    def quiet(self) -> bool:
        """Usable, and the socket has nothing to read: neither bytes nor an end that the event loop has yet to report.

        To be asked between exchanges, just before a request is written.
        """
        if not self.usable:
            return False
        socket = self._transport.get_extra_info("socket")
        if socket is None:
            return True
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    @property
    def reusable(self) -> bool:
        """The exchange is over on both sides to the last byte, and the upstream means to keep the connection."""
        return (
            self.end is End.COMPLETE
            and self._persists
            and not self._surplus
            and self.usable
            and self._transport.get_write_buffer_size() == 0
        )

    @property
    def keep_alive(self) -> float:
        """Seconds from `rested_at` for which the upstream said that it keeps the connection, less one for the way; infinite without a word."""
        said = _KEEP_ALIVE.search(self.headers[b"keep-alive"]) if b"keep-alive" in self.headers else None
        return math.inf if said is None else int(said[1]) - 1.0

    def park(self) -> None:
        """Wait for the next exchange."""
        self._idle = True
        self.idle_since = self._loop.time()
        self.take()

    def drop(self) -> None:
        """Close it at once, whatever it is doing."""
        if self.end is None:
            self.end = End.LOST
        self._untime()
        self._transport.abort()

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection gives a Transport; uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        if self._idle or self.end is not None:
            self._surplus = True
            self.drop()
            return
        self.started = True
        self._progress = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail()
        self._overhead = 0 if self._progress else self._overhead + len(data)
        if self._overhead > MAX_HEAD and self.end is None:
            self._fail()
        if self._into is not None and self._deliver(self._into):
            return
        if self._buffered > MAX_BUFFERED and not self._paused and self.usable:
            self._paused = True
            self._transport.pause_reading()
        self._wake(True)

    def _deliver(self, into: Sink) -> bool:
        """Hand on what came; False where who waits has to be woken."""
        if self.end is not None or self._waiter is None or self._waiter.done():
            return False
        try:
            self.paused = bool(self._pieces) and not into(self.take())
        except Exception as error:  # it belongs to who waits, not to the socket
            self._waiter.set_exception(error)
            return False
        self._until = min(self._loop.time() + self._silence, self._latest)
        return not self.paused

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed_by = exc if exc is not None else ConnectionError("closed by the upstream")
        if self.end is None:
            # A body of no announced length ends with its connection, unless something broke.
            self.end = End.COMPLETE if exc is None and self.headers_received and not self._framed else End.LOST
        self._untime()
        self._wake(True)

    # What the parser tells

    def on_message_begin(self) -> None:
        if self.end is not None:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        if self._head_size > MAX_HEAD:
            raise HeadTooLarge
        if self.headers_received:
            return  # trailers, or the head of an answer that nobody asked for
        key = name.lower()
        self.headers[key] = b"%b, %b" % (self.headers[key], value) if key in self.headers else value

    def on_headers_complete(self) -> None:
        if self.headers_received:
            return
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:
            raise HeadRefused
        if status < 200:
            self.headers = {}
            return
        if self.headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise HeadRefused
        self.status = status
        self.headers_received = True
        self._progress = True
        self._framed = b"content-length" in self.headers or b"transfer-encoding" in self.headers

    def on_body(self, body: bytes) -> None:
        if self.end is None:
            self._progress = True
            self._pieces.append(body)
            self._buffered += len(body)

    def on_message_complete(self) -> None:
        if self.headers_received and self.end is None:
            self.end = End.COMPLETE
            self._persists = self._parser.should_keep_alive()

    def _fail(self) -> None:
        """Bytes after a whole answer only spoil the connection."""
        if self.end is None:
            self.end = End.PROTOCOL_ERROR
        self._surplus = True
        self.drop()

    def _wake(self, in_time: bool) -> None:
        waiter, self._waiter, self._into = self._waiter, None, None
        if waiter is not None and not waiter.done():
            waiter.set_result(in_time)
