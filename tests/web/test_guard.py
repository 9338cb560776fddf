"""The guard: what a client may send before its request is served, and how long it may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import orjson
import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.web.guard import HEAD_BYTES, HEADERS, Awaited, GuardedProtocol

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Timer:
    def __init__(self, seconds: float, action: Callable[[], object]) -> None:
        self.seconds = seconds
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """The running loop, but for its timers: they go off when the test says so."""

    def __init__(self) -> None:
        self.create_task = asyncio.get_running_loop().create_task
        self.timers: list[Timer] = []

    def call_later(self, seconds: float, action: Callable[[], object]) -> Timer:
        self.timers.append(Timer(seconds, action))
        return self.timers[-1]

    def pending(self) -> list[float]:
        return [timer.seconds for timer in self.timers if not timer.cancelled]

    def pass_by(self) -> None:
        """The timers that run go off."""
        due, self.timers = self.timers, []
        for timer in due:
            if not timer.cancelled:
                timer.action()


class Wire:
    """The transport's side that uvicorn uses."""

    def __init__(self) -> None:
        self.sent = b""
        self.end: str | None = None
        self.paused = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def write_eof(self) -> None:
        self.end = "eof"

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def is_closing(self) -> bool:
        return self.end in ("closed", "aborted")

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_extra_info(self, name: str) -> None:
        return None


class Connection:
    """A guarded connection before an application that answers when it is told to."""

    def __init__(self, *, reads: bool = True) -> None:
        self.clock = Clock()
        self.wire = Wire()
        self.requests: list[bytes] = []
        self.gone = 0
        self.answering = asyncio.Event()
        self.headers: list[Any] = []
        self._reads = reads
        config = uvicorn.Config(
            self._app, interface="asgi3", ws="none", log_config=None, access_log=False, proxy_headers=False
        )
        self.protocol = GuardedProtocol(config, ServerState(), {}, cast(Any, self.clock))
        self.protocol.connection_made(cast(Any, self.wire))

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", self._reads
        while more:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            body, more = body + message["body"], message["more_body"]
        self.requests.append(body)
        self.headers = scope["headers"]
        await self.answering.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)
            await self.turns()

    async def turns(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.wire.sent.split(b"HTTP/1.1 ")[1:]]

    @property
    def error(self) -> dict[str, Any]:
        """The one refusal that was sent: OpenAI's shape and a request id."""
        head, body = self.wire.sent.split(b"\r\n\r\n")
        assert b"x-request-id: req_" in head
        assert b"connection: close" in head
        assert self.wire.end == "eof"
        error: dict[str, Any] = orjson.loads(body)["error"]
        assert error["type"] == "invalid_request_error"
        return error


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_http"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad_host"),
        (HEAD + b"x-a: b\r\n" * HEADERS + b"\r\n", 431, "headers_too_large"),
        (HEAD + b"x-a: " + b"b" * HEAD_BYTES + b"\r\n\r\n", 431, "headers_too_large"),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_http"),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "bad_http"),
        (HEAD + b"Content-Length: -3\r\n\r\nabc", 400, "bad_http"),
        (HEAD + b"x: a\r\n folded\r\n\r\n", 400, "bad_http"),
        (HEAD.replace(b"\r\n", b"\n") + b"\n", 400, "bad_http"),
        (CHUNKED + b"zz\r\n", 400, "bad_http"),
    ],
    ids=[
        "garbage",
        "no host",
        "two hosts",
        "two hosts in HTTP/1.0",
        "a host that is none",
        "empty host",
        "many headers",
        "large header",
        "length and chunks",
        "two lengths",
        "negative length",
        "folded header",
        "bare line ends",
        "chunk size that is none",
    ],
)
async def test_refused(raw: bytes, status: int, code: str) -> None:
    """A head that is too large, ambiguous or without one Host is refused in OpenAI's shape, and the connection ends."""
    connection = Connection()
    await connection.feed(raw)
    assert connection.statuses == [status]
    assert connection.error["code"] == code
    await connection.feed(GET)
    assert connection.requests == []


@pytest.mark.parametrize(
    "raw",
    [
        GET,
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
        HEAD + b"x-a: b\r\n" * (HEADERS - 1) + b"\r\n",
        HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["plain", "HTTP/1.0", "IPv6", "as many headers as may be", "upgrade"],
)
async def test_served(raw: bytes) -> None:
    """An ordinary request is served, whole or byte by byte, with no deadline left running while it is our turn."""
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        connection = Connection()
        await connection.feed(*pieces)
        assert connection.requests == [b""]
        assert connection.clock.pending() == []
        connection.answering.set()
        await connection.turns()
        assert connection.statuses == [200]


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"PO", 408), (HEAD, 408), (HEAD + b"Content-Length: 9\r\n\r\nabc", 408), (CHUNKED + b"1\r\n", 408)],
    ids=["method", "head", "body", "chunk"],
)
async def test_too_slow(raw: bytes, status: int) -> None:
    """A head or body that does not arrive in time is answered with 408, and what was begun for it ends."""
    connection = Connection()
    await connection.feed(raw)
    (seconds,) = connection.clock.pending()
    assert seconds == GuardedProtocol.seconds[Awaited.BODY if b"\r\n\r\n" in raw else Awaited.HEAD]
    connection.clock.pass_by()
    await connection.turns()
    assert connection.statuses == [status]
    assert connection.error["code"] == "request_timeout"
    assert connection.gone == (b"\r\n\r\n" in raw)
    connection.clock.pass_by()
    assert connection.wire.end == "closed"


async def test_drops_do_not_move_the_deadline() -> None:
    """Whoever sends a byte now and then gains no time: the deadline runs from the first one."""
    connection = Connection()
    await connection.feed(b"P")
    first = connection.clock.timers[-1]
    await connection.feed(b"O", b"S", b"T", b" / HTTP/1.1\r\n", b"x: y\r\n")
    assert [timer for timer in connection.clock.timers if not timer.cancelled] == [first]


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\r\n\r\n"], ids=["nothing", "line end", "line ends"])
async def test_a_connection_without_a_request(raw: bytes) -> None:
    """A connection on which no request begins is closed without a word."""
    connection = Connection()
    await connection.feed(raw)
    connection.clock.pass_by()
    assert (connection.wire.sent, connection.wire.end) == (b"", "closed")


async def test_kept_connections_are_closed_in_time() -> None:
    """After an answer the connection is kept for a while; a line end now and then does not keep it for longer."""
    connection = Connection()
    connection.answering.set()
    await connection.feed(GET)
    assert connection.clock.pending() == [5]
    await connection.feed(b"\r\n", b"\r\n")
    assert connection.clock.pending() == [GuardedProtocol.seconds[Awaited.REQUEST]]
    await connection.feed(GET)
    assert connection.statuses == [200, 200]
    connection.clock.pass_by()
    assert connection.wire.end == "closed"


async def test_a_head_without_an_end() -> None:
    """A header that never ends is refused once it is too long, whatever pieces it comes in."""
    connection = Connection()
    await connection.feed(HEAD + b"x: ", *[b"y" * 4096] * 9)
    assert connection.statuses == [431]


async def test_trailers() -> None:
    """What follows a chunked body adds nothing to the request's headers, and is no way around their limit."""
    connection = Connection()
    await connection.feed(CHUNKED + b"2\r\nhi\r\n", b"0\r\nx-late: 1\r\n\r\n")
    assert connection.requests == [b"hi"]
    assert [name for name, _ in connection.headers] == [b"host", b"transfer-encoding"]
    endless = Connection()
    await endless.feed(CHUNKED + b"2\r\nhi\r\n0\r\nx-late: ", *[b"y" * 4096] * 9)
    assert endless.statuses == [431]


async def test_large_bodies_are_no_heads() -> None:
    """A body may be as long as it likes, in any pieces; who limits it is the route."""
    connection = Connection()
    await connection.feed(HEAD + b"Content-Length: 90000\r\n\r\n", *[b"x" * 9000] * 10)
    assert connection.requests == [b"x" * 90000]


async def test_pipelined_requests() -> None:
    """Requests sent ahead are answered in their order, and no deadline runs while they wait for their turn."""
    connection = Connection()
    await connection.feed(GET + HEAD + b"Content-Length: 2\r\n\r\nh", b"i")
    assert (connection.requests, connection.clock.pending()) == ([b""], [])
    connection.answering.set()
    await connection.turns()
    assert connection.statuses == [200, 200]
    assert connection.requests == [b"", b"hi"]


@pytest.mark.parametrize(
    ("raw", "awaited"),
    [(b"PO", Awaited.HEAD), (HEAD + b"Content-Length: 2\r\n\r\n", Awaited.BODY)],
    ids=["head", "body"],
)
async def test_half_a_pipelined_request(raw: bytes, awaited: Awaited) -> None:
    """The rest of a request that was begun early is waited for from the end of the answer before it."""
    connection = Connection()
    await connection.feed(GET + raw)
    assert connection.clock.pending() == []
    connection.answering.set()
    await connection.turns()
    assert GuardedProtocol.seconds[awaited] in connection.clock.pending()


async def test_too_many_pipelined_requests() -> None:
    """Nobody stores requests by the thousand on one connection."""
    connection = Connection()
    await connection.feed(GET * 1000)
    assert connection.wire.end == "closed"


async def test_garbage_behind_a_request() -> None:
    """Garbage sent while an answer is under way ends the connection; nothing is written into that answer."""
    connection = Connection()
    await connection.feed(GET + GET + b"nonsense\r\n\r\n")
    assert (connection.wire.sent, connection.wire.end) == (b"", "closed")


async def test_answers_before_the_end_of_a_body() -> None:
    """When the answer comes first, the rest of the body has a moment to arrive, so that the client can read the answer."""
    connection = Connection(reads=False)
    connection.answering.set()
    await connection.feed(HEAD + b"Content-Length: 9\r\n\r\nabc")
    assert connection.statuses == [200]
    assert GuardedProtocol.seconds[Awaited.LEFTOVER] in connection.clock.pending()
    await connection.feed(b"def", b"ghi")
    assert connection.clock.pending() == [GuardedProtocol.seconds[Awaited.REQUEST]]
    await connection.feed(GET)
    assert connection.statuses == [200, 200]


async def test_readers_that_stall() -> None:
    """What a client does not read for a minute ends the connection; as soon as it reads on, the minute is over."""
    connection = Connection()
    await connection.feed(GET)
    connection.protocol.pause_writing()
    connection.protocol.pause_writing()
    assert connection.clock.pending() == [GuardedProtocol.stall_seconds]
    connection.protocol.resume_writing()
    connection.protocol.resume_writing()
    assert connection.clock.pending() == []
    connection.protocol.pause_writing()
    connection.clock.pass_by()
    assert connection.wire.end == "aborted"
    connection.protocol.connection_lost(ConnectionAbortedError())
    assert connection.clock.pending() == []


async def test_closing_is_not_waited_for_either() -> None:
    """A connection that was closed with something still to read has as long, and then it is cut."""
    connection = Connection()
    connection.answering.set()
    await connection.feed(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert connection.wire.end == "closed"
    connection.clock.pass_by()
    assert connection.wire.end == "aborted"
