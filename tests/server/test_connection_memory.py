"""What a connection occupies: a few KB that wait, and nothing once it is gone."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway.server.asgi import AsgiRequest
from gateway.server.connection import BODY_READ_BYTES, READ_BYTES, ServerConnection
from gateway.server.direct import HIGH_WATER, DirectRequest
from tests.server.connections import CHUNKED, GET, HEAD, Open, Opened
from tests.server.test_connection import open_

__all__ = ["open_"]

BODY = HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Nothing is collected, and `alive` sees only what is made from here on: the whole test run's memory takes a second to walk."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def alive() -> int:
    """Connections and requests in memory."""
    return sum(isinstance(each, ServerConnection | DirectRequest | AsgiRequest) for each in gc.get_objects())


async def arrive(connection: Opened, data: bytes) -> int:
    """As the event loop has it: pieces as large as there is room for, while it may read. Returns what it has read."""
    at = 0
    while at < len(data) and not connection.wire.paused:
        room = connection.protocol.get_buffer(-1)
        piece = data[at : at + len(room)]
        room[: len(piece)] = piece
        connection.protocol.buffer_updated(len(piece))
        at += len(piece)
        await connection.turns()
    return at


async def leave(connection: Opened) -> None:
    """The connection is lost, what was being served comes to its end, and nobody else refers to the connection."""
    connection.protocol.connection_lost(None)
    connection.answering.set()
    await connection.turns()
    connection.clock.timers.clear()
    del connection.protocol


async def test_bytes_waiting_behind_a_request_are_bounded(open_: Open) -> None:
    """While a request is served, a piece of what follows is taken from the network and no more; all of it is answered in the end."""
    for behind in (GET * 90, BODY * 3, HEAD + b"x: " + b"y" * 30_000 + b"\r\n\r\n"):
        connection = open_()
        sent = GET + behind
        at = await arrive(connection, sent)
        assert at <= 2 * READ_BYTES
        connection.answering.set()
        while at < len(sent):
            await connection.turns()
            at += await arrive(connection, sent[at:])
        await connection.turns(500)
        assert set(connection.statuses) == {200}
        assert len(connection.requests) == 1 + behind.count(b"HTTP/1.1")


async def test_unread_body_is_bounded(open_: Open) -> None:
    """Of a body little is taken from the network before somebody reads it, as nobody does before the key is checked."""
    connection = open_(reads=False)
    assert await arrive(connection, BODY) <= HIGH_WATER + READ_BYTES
    assert connection.wire.paused


async def test_large_pieces_are_for_bodies_that_are_read(open_: Open) -> None:
    """Room for a large piece is made only while the request being served reads its body."""
    connection = open_()
    assert len(connection.protocol.get_buffer(-1)) == READ_BYTES
    await connection.feed(CHUNKED)
    assert len(connection.protocol.get_buffer(-1)) == BODY_READ_BYTES
    await connection.feed(b"0\r\n\r\n")
    assert len(connection.protocol.get_buffer(-1)) == READ_BYTES


SENT = (
    *(GET, GET * 50, GET + BODY, BODY[:-1], HEAD, GET + b"nonsense\r\n\r\n", b"nonsense\r\n\r\n", CHUNKED + b"zz\r\n"),
    HEAD + b"Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nabc",
)


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "open"])
@pytest.mark.usefixtures("without_collector")
async def test_closed_connection_is_freed_without_gc(open_: Open, answered: bool) -> None:
    """Once a connection is gone it is freed with all its requests, without help of the garbage collector."""
    before = alive()
    for sent in SENT:
        connection = open_()
        if answered:
            connection.answering.set()
        await connection.feed(sent)
        await leave(connection)
    assert alive() == before


@pytest.mark.usefixtures("without_collector")
async def test_many_closed_connections_are_freed_without_gc(open_: Open) -> None:
    """Nor of clients that send ahead what they can, read nothing and leave, one after another."""
    before = alive()
    for _ in range(20):
        connection = open_()
        await arrive(connection, BODY * 100)
        await leave(connection)
    assert alive() == before
