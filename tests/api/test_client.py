"""A client behind an ASGI server."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message

from gateway.api.client import AsgiRawRequest

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "query_string": b"a=b",
    "headers": [(b"x", b"1"), (b"x", b"2")],
}


class Server:
    """Receives what is put, and keeps what is sent."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)


def client_of(server: Server) -> AsgiRawRequest:
    return AsgiRawRequest(SCOPE, server.waiting.get, server.send)


async def test_request_carries_what_asgi_says() -> None:
    """The request is what ASGI tells of it."""
    server = Server()
    server.waiting.put_nowait({"type": "http.request", "body": b"hi"})
    client = client_of(server)
    assert (client.method, client.query, client.fields) == ("POST", b"a=b", {b"x": b"2"})
    assert client.headers == SCOPE["headers"]
    assert await client.body(limit=10) == b"hi"


async def test_whole_answer_is_head_with_length_and_body() -> None:
    """A whole answer is a head with its length, and a body."""
    server = Server()
    await client_of(server).respond(404, b"a: b: c\r\nd: \r\n", b"no")
    headers = [(b"a", b"b: c"), (b"d", b""), (b"content-length", b"2")]
    assert server.sent == [
        {"type": "http.response.start", "status": 404, "headers": headers},
        {"type": "http.response.body", "body": b"no"},
    ]


async def test_stream_is_head_pieces_and_end() -> None:
    """A stream is a head, its pieces and an end."""
    server = Server()
    client = client_of(server)
    await client.begin(b"a: b\r\n")
    assert not client.send_nowait(b"one")  # a server can only be waited for
    await client.send(b"one")
    await client.end()
    assert server.sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]},
        {"type": "http.response.body", "body": b"one", "more_body": True},
        {"type": "http.response.body", "body": b""},
    ]


async def test_disconnect_reaches_its_watcher_only() -> None:
    """Whoever watches is told of the departure and of nothing else; afterwards nobody listens."""
    server = Server()
    client = client_of(server)
    left = asyncio.Event()
    before = len(asyncio.all_tasks())
    client.on_disconnect(left.set)
    server.waiting.put_nowait({"type": "http.request"})
    for _ in range(3):
        await asyncio.sleep(0)
    assert not left.is_set()
    server.waiting.put_nowait({"type": "http.disconnect"})
    await left.wait()
    client.on_disconnect(left.set)
    client.off_disconnect()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before
    client_of(server).off_disconnect()
