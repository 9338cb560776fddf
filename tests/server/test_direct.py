"""A direct request at its connection: its body, its answer, and what happens when the client does not take part."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.api.body import ClientDisconnected
from gateway.api.client import RawRequest
from gateway.errors import RequestTooLarge, UnsupportedEncoding
from gateway.server.direct import HIGH_WATER, DirectRequest

Serve = Callable[[RawRequest], Coroutine[Any, Any, None]]


class FakeConnection:
    """A connection that writes down what is asked of it."""

    def __init__(self) -> None:
        self.written = b""
        self.reading = True
        self.closed = False
        self.answers = 0
        self.reads = asyncio.Event()
        self.reads.set()

    @property
    def write_paused(self) -> bool:
        return not self.reads.is_set()

    async def drain(self) -> None:
        await self.reads.wait()

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def default_headers(self) -> bytes:
        return b"date: today\r\n"

    def response_done(self) -> None:
        self.answers += 1

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Endpoint:
    """Serves by a function."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    async def serve(self, client: RawRequest) -> None:
        await self._serve(client)


async def nothing(client: RawRequest) -> None:
    """An endpoint that answers nothing."""


def client_at(
    connection: FakeConnection,
    *,
    method: str = "POST",
    fields: dict[bytes, bytes] | None = None,
    chunked: bool = True,
    keep_alive: bool = True,
    serve: Serve = nothing,
) -> DirectRequest:
    return DirectRequest(
        connection,
        Endpoint(serve),
        method=method,
        query=b"",
        headers=[],
        fields=fields or {},
        chunked=chunked,
        keep_alive=keep_alive,
    )


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_body_in_pieces_is_given_whole() -> None:
    """A body is given once it is whole, whether it was asked for before or after."""
    client = client_at(FakeConnection())
    reading = asyncio.create_task(client.body(limit=10))
    await turns()
    client.feed(b"ab")
    await turns()
    assert not reading.done()
    client.feed(b"cd")
    client.end_of_body()
    assert await reading == b"abcd"
    early = client_at(FakeConnection())
    early.feed(b"ab")
    early.end_of_body()
    assert await early.body(limit=10) == b"ab"
    none = client_at(FakeConnection())
    none.end_of_body()
    assert await none.body(limit=10) == b""


async def test_body_above_the_limit_is_refused_at_once() -> None:
    """A body is refused as soon as it passes the limit, and at once where its length is told."""
    client = client_at(FakeConnection())
    reading = asyncio.create_task(client.body(limit=3))
    await turns()
    client.feed(b"abcd")
    with pytest.raises(RequestTooLarge):
        await reading
    with pytest.raises(RequestTooLarge):
        await client_at(FakeConnection(), fields={b"content-length": b"4"}).body(limit=3)
    with pytest.raises(UnsupportedEncoding):
        await client_at(FakeConnection(), fields={b"content-encoding": b"br"}).body(limit=3)


async def test_unread_body_stops_reading_from_the_network() -> None:
    """Of a body that nobody has asked for only so much is taken from the network; asking for it goes on reading."""
    connection = FakeConnection()
    client = client_at(connection)
    client.feed(b"x" * HIGH_WATER)
    assert connection.reading
    client.feed(b"x")
    assert not connection.reading
    reading = asyncio.create_task(client.body(limit=10**6))
    await turns()
    assert connection.reading
    client.feed(b"y" * HIGH_WATER)
    client.end_of_body()
    assert len(await reading) == 2 * HIGH_WATER + 1
    assert connection.reading


async def test_refused_bodies_are_not_kept() -> None:
    """After a body was refused no more of it is taken from the network until that is answered."""
    connection = FakeConnection()
    client = client_at(connection)
    reading = asyncio.create_task(client.body(limit=3))
    await turns()
    client.feed(b"x" * HIGH_WATER)
    with pytest.raises(RequestTooLarge):
        await reading
    client.feed(b"x")
    assert not connection.reading


async def test_continue_is_sent_when_the_body_is_read() -> None:
    """Who waits for leave to send its body gets it when the body is asked for."""
    connection = FakeConnection()
    client = client_at(connection, fields={b"expect": b"100-Continue"})
    assert connection.written == b""
    reading = asyncio.create_task(client.body(limit=1))
    await turns()
    assert connection.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.end_of_body()
    await reading


@pytest.mark.parametrize("case", ["sent", "gone", "HTTP/1.0"])
async def test_continue_is_sent_only_to_waiting_clients(case: str) -> None:
    """Who has sent its body already, has left or speaks HTTP/1.0 is not told to continue."""
    connection = FakeConnection()
    client = client_at(connection, fields={b"expect": b"100-continue"}, chunked=case != "HTTP/1.0")
    if case == "sent":
        client.end_of_body()
    if case == "gone":
        client.connection_lost()
    reading = asyncio.create_task(client.body(limit=1))
    await turns()
    reading.cancel()
    await asyncio.wait([reading])
    assert connection.written == b""


@pytest.mark.parametrize(
    ("method", "keep_alive", "wire"),
    [
        ("POST", True, b"HTTP/1.1 404 Not Found\r\ndate: today\r\na: b\r\ncontent-length: 2\r\n\r\nno"),
        ("HEAD", True, b"HTTP/1.1 404 Not Found\r\ndate: today\r\na: b\r\ncontent-length: 2\r\n\r\n"),
        (
            "POST",
            False,
            b"HTTP/1.1 404 Not Found\r\ndate: today\r\nconnection: close\r\na: b\r\ncontent-length: 2\r\n\r\nno",
        ),
    ],
    ids=["kept", "HEAD", "last"],
)
async def test_whole_answer_has_its_length(method: str, keep_alive: bool, wire: bytes) -> None:
    """A whole answer has its length; one to HEAD has no body, and the last on a connection says that it is."""
    connection = FakeConnection()
    client = client_at(connection, method=method, keep_alive=keep_alive)
    await client.respond(404, b"a: b\r\n", b"no")
    assert connection.written == wire
    assert connection.answers == 1
    assert (client.response_started, client.response_complete) == (True, True)


@pytest.mark.parametrize(
    ("chunked", "framing", "body"),
    [
        (True, b"transfer-encoding: chunked\r\n", b"3\r\none\r\nc\r\ntwelve bytes\r\n0\r\n\r\n"),
        (False, b"", b"onetwelve bytes"),
    ],
    ids=["HTTP/1.1", "HTTP/1.0"],
)
async def test_stream_is_chunked_or_ends_with_the_connection(chunked: bool, framing: bytes, body: bytes) -> None:
    """A stream is chunked where the client knows of chunks, else it ends with the connection."""
    connection = FakeConnection()
    client = client_at(connection, chunked=chunked)
    await client.begin(b"a: b\r\n")
    assert (client.response_started, client.response_complete) == (True, False)
    await client.send(b"one")
    await client.send(b"twelve bytes")
    await client.end()
    assert connection.written == b"HTTP/1.1 200 OK\r\ndate: today\r\na: b\r\n" + framing + b"\r\n" + body
    assert connection.answers == 1


async def everything(client: RawRequest) -> None:
    await client.begin(b"")
    await client.send(b"one")
    await client.end()


async def whole(client: RawRequest) -> None:
    await client.respond(200, b"", b"")


@pytest.mark.parametrize("answering", [everything, whole])
async def test_clients_that_do_not_read(answering: Serve) -> None:
    """Each step of an answer waits until the client has read what came before."""
    connection = FakeConnection()
    client = client_at(connection)
    steps = 0
    connection.reads.clear()
    task = asyncio.create_task(answering(client))
    while not task.done():
        before = connection.written
        await turns()
        assert connection.written == before
        connection.reads.set()
        connection.reads.clear()
        await turns()
        steps += 1
        assert connection.written != before
    assert steps == (3 if answering is everything else 1)


@pytest.mark.parametrize("answering", [everything, whole])
async def test_nothing_for_clients_that_left(answering: Serve) -> None:
    """What is sent to a client that has left is dropped."""
    connection = FakeConnection()
    client = client_at(connection)
    client.connection_lost()
    await answering(client)
    assert (connection.written, connection.answers) == (b"", 0)


async def test_disconnect_within_the_body_ends_the_wait() -> None:
    """A client that leaves before its body is whole ends the wait for it."""
    client = client_at(FakeConnection())
    reading = asyncio.create_task(client.body(limit=10))
    await turns()
    client.feed(b"ab")
    client.connection_lost()
    with pytest.raises(ClientDisconnected):
        await reading


async def test_disconnect_is_reported_to_a_later_watcher() -> None:
    """A departure is told once somebody watches, also one that came before, but not when nobody does any more."""
    told: list[str] = []
    client = client_at(FakeConnection())
    client.on_disconnect(lambda: told.append("now"))
    client.connection_lost()
    assert told == ["now"]
    client.on_disconnect(lambda: told.append("before"))
    assert told == ["now"]
    await turns()
    assert told == ["now", "before"]
    client.on_disconnect(lambda: told.append("never"))
    client.off_disconnect()
    await turns()
    client.connection_lost()
    assert told == ["now", "before"]


async def test_unfinished_answer_ends_the_connection() -> None:
    """What the endpoint leaves half-way ends the connection, unless the client has ended it."""

    async def half(client: RawRequest) -> None:
        await client.begin(b"")

    connection = FakeConnection()
    await client_at(connection, serve=half).run()
    assert connection.closed
    for serve, gone in ((whole, False), (nothing, True)):
        connection = FakeConnection()
        client = client_at(connection, serve=serve)
        if gone:
            client.connection_lost()
        await client.run()
        assert not connection.closed


async def test_endpoint_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What an endpoint raises is in the log with its trace, and the connection goes on if it was answered."""

    async def mistaken(client: RawRequest) -> None:
        await client.respond(500, b"", b"")
        raise ArithmeticError("ours")

    connection = FakeConnection()
    with caplog.at_level(logging.ERROR):
        await client_at(connection, serve=mistaken).run()
    assert "ArithmeticError: ours" in caplog.text
    assert not connection.closed


async def test_piece_is_written_at_once_where_possible() -> None:
    """A piece that can be written at once is; a client that does not read is not waited for, one that has left takes all."""
    connection = FakeConnection()
    client = client_at(connection)
    assert client.send_nowait(b"one")
    connection.reads.clear()
    assert not client.send_nowait(b"two")
    assert connection.written == b"3\r\none\r\n"
    connection.reads.set()
    client.connection_lost()
    assert client.send_nowait(b"three")
    assert connection.written == b"3\r\none\r\n"
