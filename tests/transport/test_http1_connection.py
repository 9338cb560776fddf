"""The protocol of the built-in client, fed by hand: any cut, any bytes, any order of events."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.http1_connection import MAX_BUFFERED, MAX_HEAD, End, Http1Connection
from tests.transport.servers import ANSWER, CHUNKED, END, chunk, keeping

WIRE = b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + CHUNKED + chunk(b"one") + chunk(b"two") + b"0\r\nx-trailer: 1\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Socket(asyncio.Transport):
    """A transport that remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.reading = True
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


class World:
    """A connection that has sent a request, and its socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.socket = Socket()
        self.connection = Http1Connection(loop)
        self.connection.connection_made(self.socket)
        self.connection.send([b"POST"])


LOOP = asyncio.new_event_loop()
LOOP.close()  # only its clock is used


def asked() -> World:
    return World(LOOP)


def body(wire: bytes, *, cut: int) -> tuple[bytes, End | None]:
    """What comes of `wire` in pieces of `cut` bytes."""
    world, received = asked(), b""
    for start in range(0, len(wire), cut):
        world.connection.data_received(wire[start : start + cut])
        received += world.connection.read_buffered()
    return received, world.connection.end


@given(st.integers(1, len(WIRE)))
def test_answer_does_not_depend_on_how_the_bytes_are_cut(cut: int) -> None:
    """However the network cuts an answer, the body is the same and the connection can be used again."""
    assert body(WIRE, cut=cut) == (b"onetwo", End.COMPLETE)


@given(st.integers(0, len(WIRE) - 1), st.binary(min_size=1, max_size=20), st.integers(1, 50))
def test_any_bytes_raise_nothing_and_spoil_the_connection(position: int, noise: bytes, cut: int) -> None:
    """Whatever bytes come, nothing is raised, and a spoilt connection is not used again."""
    wire = WIRE[:position] + noise + WIRE[position + len(noise) :]
    world = asked()
    for start in range(0, len(wire), cut):
        world.connection.data_received(wire[start : start + cut])
    world.connection.connection_lost(None)
    assert world.connection.end is not None
    assert not world.connection.is_reusable


def test_connection_is_reusable_after_a_whole_answer() -> None:
    """After a whole answer the connection can serve again."""
    world = asked()
    world.connection.data_received(WIRE)
    assert world.connection.is_reusable
    assert (world.connection.status, world.connection.headers[b"content-type"]) == (200, b"text/event-stream")
    assert b"x-trailer" not in world.connection.headers
    world.connection.send([b"POST"])
    assert world.connection.end is None


def test_early_answer_spoils_the_connection() -> None:
    """An upstream that answers before it has read the whole request is not asked again on that connection."""
    world = asked()
    world.socket.unsent = 5
    world.connection.data_received(ANSWER)
    assert not world.connection.is_reusable


@pytest.mark.parametrize("surplus", [ANSWER, b"junk"], ids=["answer", "junk"])
def test_surplus_bytes_spoil_the_connection_not_the_answer(surplus: bytes) -> None:
    """Bytes after the answer, in the same read or a later one, spoil the connection but not the answer."""
    world = asked()
    world.connection.data_received(ANSWER + surplus)
    assert (world.connection.read_buffered(), world.connection.end) == (b"{}", End.COMPLETE)
    assert world.connection.headers[b"content-length"] == b"2"
    assert not world.connection.is_reusable

    world = asked()
    world.connection.data_received(ANSWER)
    world.connection.data_received(surplus)
    assert (world.connection.read_buffered(), world.connection.end) == (b"{}", End.COMPLETE)
    assert world.socket.closed


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_HEAD + 1) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * MAX_HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n" * MAX_HEAD,
        CHUNKED + b"0\r\nx: " + b"y" * 2 * MAX_HEAD,
        CHUNKED + b"1;" + b"e" * 2 * MAX_HEAD + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    ],
    ids=["long", "many", "informational", "trailer", "extension", "upgrade"],
)
def test_endless_head_is_refused(wire: bytes) -> None:
    """Bytes that bring the body no further are bounded wherever they stand; nothing is switched to another protocol."""
    assert body(wire, cut=1000) == (b"", End.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "header", [b"x: " + b"y" * 2 * MAX_HEAD + b"\r\n", b"x: y\r\n" * MAX_HEAD], ids=["long", "many"]
)
def test_too_large_head_is_refused_in_one_read(header: bytes) -> None:
    """A head too large is refused even when it comes whole."""
    assert body(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n", cut=1_000_000) == (b"", End.PROTOCOL_ERROR)


def test_reading_stops_while_too_much_waits() -> None:
    """Reading stops while too much waits to be taken, and goes on once it was."""
    world = asked()
    world.connection.data_received(CHUNKED)
    world.connection.data_received(chunk(b"x" * (MAX_BUFFERED + 1)))
    assert not world.socket.reading
    assert len(world.connection.read_buffered()) == MAX_BUFFERED + 1
    assert world.socket.reading


def test_unread_answer_pauses_reading() -> None:
    """A connection whose answer was not taken rests reading, so that its end is noticed."""
    world = World(loop := asyncio.new_event_loop())
    world.connection.data_received(CHUNKED + chunk(b"x" * (MAX_BUFFERED + 1)) + END)
    world.connection.park()
    assert world.socket.reading
    world.connection.data_received(b"H")
    assert world.socket.closed
    world.connection.connection_lost(ConnectionResetError())
    assert not world.connection.is_open
    loop.close()


@pytest.mark.parametrize(
    ("wire", "error", "end"),
    [
        (b"", None, End.LOST),
        (b"HTTP/1.1 200 OK\r\n", None, End.LOST),
        (CHUNKED + chunk(b"half"), None, End.LOST),
        (b"HTTP/1.1 200 OK\r\n\r\nhalf", None, End.COMPLETE),
        (b"HTTP/1.1 200 OK\r\n\r\nhalf", ConnectionResetError(), End.LOST),
        (ANSWER, ConnectionResetError(), End.COMPLETE),
    ],
)
def test_only_a_body_without_length_may_end_with_the_connection(wire: bytes, error: Exception | None, end: End) -> None:
    """Only a body of no announced length may end with its connection, and only in peace."""
    world = asked()
    world.connection.data_received(wire)
    world.connection.connection_lost(error)
    assert world.connection.end is end


def test_connection_lost_before_sending_ends_the_request() -> None:
    """A connection that ended before the request went out ends the exchange, as soon as the loop has told of it."""
    world = asked()
    world.socket.closed = True
    world.connection.send([b"POST again"])
    assert world.connection.end is None
    world.connection.connection_lost(None)
    world.connection.send([b"POST again"])
    assert world.connection.end is End.LOST
    assert world.socket.written == b"POST"


def test_dropped_connection_never_gives_a_whole_body() -> None:
    """What we cut off ourselves is never taken for a whole body."""
    world = asked()
    world.connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    world.connection.drop()
    world.connection.connection_lost(None)
    assert world.connection.end is End.LOST


async def test_wait_ends_with_the_next_event_or_its_timeout() -> None:
    """Waiting ends with the next event, or at its time; events while nobody waits are no trouble."""
    loop = asyncio.get_running_loop()
    world = World(loop)
    assert not await world.connection.wait(loop.time())
    loop.call_soon(world.connection.data_received, b"H")
    loop.call_soon(world.connection.data_received, b"T")
    assert await world.connection.wait(loop.time() + 5)


async def test_one_timer_serves_many_waits() -> None:
    """A wait that ends later than the timer was set for ends at its own time; one for which nobody waits is let pass."""
    loop = asyncio.get_running_loop()
    world = World(loop)
    loop.call_later(0.005, world.connection.data_received, CHUNKED)

    assert await world.connection.wait(loop.time() + 0.03)
    began = loop.time()
    assert not await world.connection.wait(began + 0.06)
    assert loop.time() >= began + 0.06

    loop.call_later(0.001, world.connection.data_received, chunk(b"one"))
    assert await world.connection.wait(loop.time() + 0.01)
    passed = loop.create_future()
    loop.call_later(0.02, passed.set_result, None)
    await passed
    assert not await world.connection.wait(loop.time())


async def test_poured_pieces_do_not_wake_the_waiter() -> None:
    """What comes goes on at once, in the socket's turn; who waits is woken for the end, and the last piece is left to it."""
    loop = asyncio.get_running_loop()
    world = World(loop)
    world.connection.data_received(CHUNKED)
    come: list[bytes] = []
    ended = world.connection.stream_into(keeping(come), idle_timeout=5, deadline=loop.time() + 5)
    world.connection.data_received(chunk(b"one") + chunk(b"two"))
    world.connection.data_received(b"5\r\n")
    assert (come, ended.done()) == ([b"onetwo"], False)
    world.connection.data_received(b"three\r\n" + END)
    assert await ended
    assert (come, world.connection.read_buffered(), world.connection.paused) == ([b"onetwo"], b"three", False)


async def test_idle_timeout_restarts_with_each_piece_poured() -> None:
    """The time of silence runs from what came last, be it only a part of the framing."""
    loop = asyncio.get_running_loop()
    world = World(loop)
    world.connection.data_received(CHUNKED)
    began = loop.time()
    loop.call_later(0.02, world.connection.data_received, chunk(b"one"))
    loop.call_later(0.04, world.connection.data_received, b"5\r\n")
    assert not await world.connection.stream_into(keeping([]), idle_timeout=0.05, deadline=began + 5)
    assert loop.time() >= began + 0.09


async def test_nothing_is_poured_after_a_cancellation() -> None:
    """Who has been cancelled gets nothing more, even before its task has run."""
    loop = asyncio.get_running_loop()
    world = World(loop)
    world.connection.data_received(CHUNKED)
    come: list[bytes] = []
    ended = world.connection.stream_into(keeping(come), idle_timeout=5, deadline=loop.time() + 5)
    ended.cancel()
    world.connection.data_received(chunk(b"one"))
    again = world.connection.wait(loop.time() + 5)
    world.connection.data_received(chunk(b"two"))
    assert await again
    assert (come, world.connection.read_buffered()) == ([], b"onetwo")


async def test_full_receiver_stops_the_reading() -> None:
    """Once the receiver wants no more, what comes is kept, and too much of it stops the reading."""
    loop = asyncio.get_running_loop()
    world = World(loop)
    world.connection.data_received(CHUNKED)
    ended = world.connection.stream_into(lambda _: False, idle_timeout=5, deadline=loop.time() + 5)
    world.connection.data_received(chunk(b"one"))
    world.connection.data_received(chunk(b"x" * (MAX_BUFFERED + 1)))
    assert await ended
    assert (world.connection.paused, world.socket.reading) == (True, False)
    assert len(world.connection.read_buffered()) == MAX_BUFFERED + 1
