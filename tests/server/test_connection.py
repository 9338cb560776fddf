"""Connections: what a client may send, how long it may take, and in which order it is answered."""

from __future__ import annotations

import asyncio

import pytest

from gateway.server.connection import MAX_PIPELINED, ReadState, ServerConnection
from gateway.server.request_head import MAX_HEAD_BYTES, MAX_HEADERS
from tests.server.connections import CHUNKED, GET, HEAD, Open, Opened, OpenedToAsgi


@pytest.fixture(params=[Opened, OpenedToAsgi], ids=["direct", "asgi"])
def open_(request: pytest.FixtureRequest) -> Open:
    """Opens a connection; the rules are the same for both kinds of routes."""
    opened: Open = request.param
    return opened


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_http"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad_host"),
        (HEAD + b"x-a: b\r\n" * MAX_HEADERS + b"\r\n", 431, "headers_too_large"),
        (HEAD + b"x-a: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431, "headers_too_large"),
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
async def test_bad_head_is_refused_and_closes_the_connection(open_: Open, raw: bytes, status: int, code: str) -> None:
    """A head that is too large, ambiguous or without one Host is refused in OpenAI's shape, and the connection ends."""
    connection = open_()
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
        HEAD + b"x-a: b\r\n" * (MAX_HEADERS - 1) + b"\r\n",
        HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=["plain", "HTTP/1.0", "IPv6", "as many headers as may be", "upgrade"],
)
async def test_request_is_served_whole_or_byte_by_byte(open_: Open, raw: bytes) -> None:
    """An ordinary request is served, whole or byte by byte, with no deadline left running while it is our turn."""
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        connection = open_()
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
async def test_slow_head_or_body_is_a_408(open_: Open, raw: bytes, status: int) -> None:
    """A head or body that does not arrive in time is answered with 408, and what was begun for it ends."""
    connection = open_()
    await connection.feed(raw)
    (seconds,) = connection.clock.pending()
    assert seconds == ServerConnection.timeouts[ReadState.BODY if b"\r\n\r\n" in raw else ReadState.HEAD]
    connection.clock.pass_by()
    await connection.turns()
    assert connection.statuses == [status]
    assert connection.error["code"] == "request_timeout"
    assert connection.gone == (b"\r\n\r\n" in raw)
    connection.clock.pass_by()
    assert connection.wire.end == "closed"


async def test_drops_do_not_move_the_deadline(open_: Open) -> None:
    """Whoever sends a byte now and then gains no time: the deadline runs from the first one."""
    connection = open_()
    await connection.feed(b"P")
    first = connection.clock.timers[-1]
    await connection.feed(b"O", b"S", b"T", b" / HTTP/1.1\r\n", b"x: y\r\n")
    assert [timer for timer in connection.clock.timers if not timer.cancelled] == [first]


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\r\n\r\n"], ids=["nothing", "line end", "line ends"])
async def test_idle_connection_is_closed_silently(open_: Open, raw: bytes) -> None:
    """A connection on which no request begins is closed without a word."""
    connection = open_()
    await connection.feed(raw)
    connection.clock.pass_by()
    assert (connection.wire.sent, connection.wire.end) == (b"", "closed")


async def test_kept_connections_are_closed_in_time(open_: Open) -> None:
    """After an answer the connection is kept for a while; a line end now and then does not keep it for longer."""
    connection = open_()
    connection.answering.set()
    await connection.feed(GET)
    assert connection.clock.pending() == [5]
    await connection.feed(b"\r\n", b"\r\n")
    assert connection.clock.pending() == [ServerConnection.timeouts[ReadState.REQUEST]]
    await connection.feed(GET)
    assert connection.statuses == [200, 200]
    connection.clock.pass_by()
    assert connection.wire.end == "closed"


async def test_endless_header_is_refused(open_: Open) -> None:
    """A header that never ends is refused once it is too long, whatever pieces it comes in."""
    connection = open_()
    await connection.feed(HEAD + b"x: ", *[b"y" * 4096] * 9)
    assert connection.statuses == [431]


async def test_trailers_add_no_headers_and_are_bounded(open_: Open) -> None:
    """What follows a chunked body adds nothing to the request's headers, and is no way around their limit."""
    connection = open_()
    await connection.feed(CHUNKED + b"2\r\nhi\r\n", b"0\r\nx-late: 1\r\n\r\n")
    assert connection.requests == [b"hi"]
    assert connection.headers == {b"host", b"transfer-encoding"}
    endless = open_()
    await endless.feed(CHUNKED + b"2\r\nhi\r\n0\r\nx-late: ", *[b"y" * 4096] * 9)
    assert endless.statuses == [431]


async def test_large_bodies_are_no_heads(open_: Open) -> None:
    """A body may be as long as it likes, in any pieces; who limits it is the route."""
    connection = open_()
    await connection.feed(HEAD + b"Content-Length: 90000\r\n\r\n", *[b"x" * 9000] * 10)
    assert connection.requests == [b"x" * 90000]


async def test_pipelined_requests_are_answered_in_order_without_timeout(open_: Open) -> None:
    """Requests sent ahead are answered in their order, and no deadline runs while they wait for their turn."""
    connection = open_()
    await connection.feed(GET + HEAD + b"Content-Length: 2\r\n\r\nh", b"i")
    assert (connection.requests, connection.clock.pending()) == ([b""], [])
    connection.answering.set()
    await connection.turns()
    assert connection.statuses == [200, 200]
    assert connection.requests == [b"", b"hi"]


@pytest.mark.parametrize(
    ("raw", "awaited"),
    [(b"PO", ReadState.HEAD), (HEAD + b"Content-Length: 2\r\n\r\n", ReadState.BODY)],
    ids=["head", "body"],
)
async def test_timeout_of_a_pipelined_request_starts_after_the_answer(
    open_: Open, raw: bytes, awaited: ReadState
) -> None:
    """The rest of a request that was begun early is waited for from the end of the answer before it."""
    connection = open_()
    await connection.feed(GET + raw)
    assert connection.clock.pending() == []
    connection.answering.set()
    await connection.turns()
    assert ServerConnection.timeouts[awaited] in connection.clock.pending()


async def test_pipelined_requests_are_limited_to_a_hundred(open_: Open) -> None:
    """Of a thousand requests that come at once the first hundred are answered, the last of them says that it is the last."""
    connection = open_()
    await connection.feed(GET * 1000)
    connection.answering.set()
    await connection.turns(500)
    assert connection.statuses == [200] * MAX_PIPELINED
    assert connection.wire.sent.count(b"connection: close\r\n") == 1
    assert connection.wire.end == "eof"  # closed at once, what the client still sends would reset the connection


async def test_garbage_after_requests_is_refused_in_its_place(open_: Open) -> None:
    """Garbage is refused in its place, after the answers to what was sent before it, and ends the connection."""
    connection = open_()
    await connection.feed(GET + GET + b"nonsense\r\n\r\n" + GET)
    assert (connection.wire.sent, connection.wire.end) == (b"", None)
    connection.answering.set()
    await connection.turns(10)
    assert connection.statuses == [200, 200, 400]
    assert connection.wire.end == "eof"


async def test_broken_pipelined_body_is_refused_in_its_place(open_: Open) -> None:
    """A request whose body turns out to be broken while it waits is refused in its place, and never served."""
    connection = open_()
    await connection.feed(GET + CHUNKED + b"zz\r\n")
    connection.answering.set()
    await connection.turns(10)
    assert connection.statuses == [200, 400]
    assert connection.requests == [b""]


async def test_broken_rest_of_an_answered_body_gets_no_second_answer(open_: Open) -> None:
    """A request that was answered before its body was whole gets no second answer when the rest of the body is broken."""
    connection = open_(reads=False)
    connection.answering.set()
    await connection.feed(CHUNKED + b"3\r\nabc\r\n", b"zz\r\n", GET)
    assert connection.statuses == [200]
    assert connection.wire.end == "eof"


async def test_bytes_after_the_last_request_are_ignored(open_: Open) -> None:
    """What follows a request that says it is the last is not read: no answer, no error."""
    for last in (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", GET[:-2] + b"Connection: close\r\n\r\n"):
        for behind in (GET, b"nonsense\r\n\r\n"):
            connection = open_()
            await connection.feed(last + behind)
            connection.answering.set()
            await connection.turns()
            assert connection.statuses == [200]
            assert connection.wire.end in ("eof", "closed")


async def test_answers_before_the_end_of_a_body(open_: Open) -> None:
    """When the answer comes first, the rest of the body has a moment to arrive, so that the client can read the answer."""
    connection = open_(reads=False)
    connection.answering.set()
    await connection.feed(HEAD + b"Content-Length: 9\r\n\r\nabc")
    assert connection.statuses == [200]
    assert ServerConnection.timeouts[ReadState.DRAIN_BODY] in connection.clock.pending()
    await connection.feed(b"def", b"ghi")
    assert connection.clock.pending() == [ServerConnection.timeouts[ReadState.REQUEST]]
    await connection.feed(GET)
    assert connection.statuses == [200, 200]


async def test_stalled_reader_ends_the_connection_after_a_minute(open_: Open) -> None:
    """What a client does not read for a minute ends the connection; as soon as it reads on, the minute is over."""
    connection = open_()
    await connection.feed(GET)
    connection.protocol.pause_writing()
    connection.protocol.pause_writing()
    assert connection.clock.pending() == [ServerConnection.write_timeout]
    connection.protocol.resume_writing()
    connection.protocol.resume_writing()
    assert connection.clock.pending() == []
    connection.protocol.pause_writing()
    connection.clock.pass_by()
    assert connection.wire.end == "aborted"
    connection.protocol.connection_lost(ConnectionAbortedError())
    assert connection.clock.pending() == []


async def test_closing_is_not_waited_for_either(open_: Open) -> None:
    """A connection that was closed with something still to read has as long, and then it is cut."""
    connection = open_()
    connection.answering.set()
    await connection.feed(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert connection.wire.end == "closed"
    connection.clock.pass_by()
    assert connection.wire.end == "aborted"


async def test_shutdown_closes_after_the_answer_under_way(open_: Open) -> None:
    """A server that ends closes connections at once when nothing is under way, else after the answer, which says so."""
    idle = open_()
    idle.protocol.shutdown()
    assert idle.wire.end == "closed"
    busy = open_()
    await busy.feed(GET)
    busy.protocol.shutdown()
    assert busy.wire.end is None
    busy.answering.set()
    await busy.turns()
    assert b"connection: close\r\n" in busy.wire.sent
    assert busy.wire.end == "closed"


async def test_answer_has_the_current_default_headers(open_: Open) -> None:
    """An answer has the header lines that the server has when it is given: it makes new ones for each second."""
    connection = open_()
    connection.answering.set()
    for date in (b"today", b"tomorrow"):
        connection.server.default_headers = [(b"date", date)]
        await connection.feed(GET)
    assert connection.wire.sent.index(b"date: today\r\n") < connection.wire.sent.index(b"date: tomorrow\r\n")
    assert connection.wire.sent.count(b"date: ") == 2


async def test_answers_wait_for_readers(open_: Open) -> None:
    """While the client does not read nothing is written; when it reads on the answer goes out, when it leaves nothing does."""
    for leaves in (False, True):
        connection = open_()
        await connection.feed(GET)
        connection.protocol.pause_writing()
        connection.answering.set()
        await connection.turns()
        assert connection.wire.sent == b""
        if leaves:
            connection.protocol.connection_lost(None)
        else:
            connection.protocol.resume_writing()
        await connection.turns()
        assert connection.statuses == ([] if leaves else [200])


async def test_all_that_wait_for_room() -> None:
    """A stream and the comment beside it may wait for the same reader."""
    connection = Opened()
    connection.protocol.pause_writing()
    waiting = [asyncio.create_task(connection.protocol.drain()) for _ in range(2)]
    await connection.turns()
    assert not any(task.done() for task in waiting)
    connection.protocol.resume_writing()
    await asyncio.gather(*waiting)


async def test_pipelined_body_stays_in_the_network(open_: Open) -> None:
    """A body behind a request is left in the network until its turn comes."""
    connection = open_()
    head = HEAD + b"Content-Length: 70000\r\n\r\n"
    await connection.feed(GET)
    assert not connection.wire.paused
    await connection.feed(head + b"x" * 66_000)
    assert connection.wire.paused
    connection.answering.set()
    await connection.turns()
    assert not connection.wire.paused
    await connection.feed(b"x" * 4_000)
    assert connection.requests == [b"", b"x" * 70_000]


async def test_half_close_is_a_disconnect_only_mid_request(open_: Open) -> None:
    """A client that ends its side is answered when its request is whole and nothing of the answer was sent; else it has left."""
    for before, waits in ((b"", False), (HEAD, False), (GET, True), (GET + GET[:-1], True), (GET + CHUNKED, True)):
        connection = open_()
        await connection.feed(before)
        assert connection.protocol.eof_received() is waits
        connection.answering.set()
        await connection.turns()
        assert connection.statuses == [200] * waits
        assert (connection.wire.end == "closed") is waits
        connection.protocol.connection_lost(None)
        assert connection.clock.pending() == []


async def test_half_close_after_garbage_gets_the_refusal(open_: Open) -> None:
    """A client that ends its side is told of what could not be read, too, after its answers."""
    connection = open_()
    await connection.feed(GET + b"nonsense\r\n\r\n")
    assert connection.protocol.eof_received()
    connection.answering.set()
    await connection.turns()
    assert connection.statuses == [200, 400]
    assert connection.wire.end == "closed"


async def test_connections_are_counted(open_: Open) -> None:
    """The server knows its connections as long as they are open, and its tasks as long as they run."""
    connection = open_()
    assert len(connection.server.connections) == 1
    await connection.feed(GET)
    assert len(connection.server.tasks) == 1
    connection.answering.set()
    await connection.turns()
    assert (len(connection.server.tasks), connection.server.total_requests) == (0, 1)
    connection.protocol.connection_lost(None)
    assert not connection.server.connections
