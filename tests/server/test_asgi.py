"""Requests that go through ASGI."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.server.asgi import AsgiRequest, scope_of
from gateway.server.direct import HIGH_WATER
from tests.server.test_direct import FakeConnection


class Wire:
    def get_extra_info(self, name: str) -> object:
        return {"peername": ("10.0.0.1", 5), "sockname": ("10.0.0.2", 80)}.get(name)


def scope(url: bytes = b"/", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Scope:
    return scope_of(
        cast(asyncio.Transport, Wire()), method="POST", url=url, headers=headers, version="1.1", state={"kept": 1}
    )


def request(connection: FakeConnection, app: ASGIApp, **options: Any) -> AsgiRequest:
    return AsgiRequest(connection, app, scope(**options), default_headers=[], keep_alive=True)


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        (b"/a/b?c=d", "/a/b", b"c=d"),
        (b"/a%20%2F", "/a /", b""),
        (b"http://elsewhere/a?b", "/a", b"b"),
        (b"http://else_where:1?b", "/", b"b"),
        (b"http://a:b@elsewhere", "/", b""),
        (b"//elsewhere/a?b#c", "//elsewhere/a", b"b"),
        (b"/a:b?http://c/", "/a:b", b"http://c/"),
        (b"*", "*", b""),
    ],
    ids=["plain", "escaped", "absolute", "query alone", "password", "two slashes", "colon", "asterisk"],
)
def test_scope_describes_the_request(url: bytes, path: str, query: bytes) -> None:
    """An application is told what was asked for, as ASGI has it, and by whom."""
    told = scope(url)
    assert (told["path"], told["query_string"], told["method"]) == (path, query, "POST")
    assert (told["client"], told["server"]) == (("10.0.0.1", 5), ("10.0.0.2", 80))
    assert told["state"] == {"kept": 1}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def test_asgi_application_gets_body_and_answers() -> None:
    """An application gets the body as it comes, and its answer is the connection's."""
    connection = FakeConnection()
    through = request(connection, echo, headers=((b"expect", b"100-continue"),))
    running = asyncio.create_task(through.run())
    await asyncio.sleep(0)
    assert connection.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    through.feed(b"a")
    await asyncio.sleep(0)
    through.feed(b"b")
    through.end_of_body()
    await running
    assert connection.written.endswith(b"\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    assert connection.answers == 1


@pytest.mark.parametrize("end", ["end_of_body", "connection_lost"])
async def test_continue_is_sent_only_to_waiting_clients(end: str) -> None:
    """Who has sent its body already, or has left, is not told to continue."""
    connection = FakeConnection()
    through = request(connection, echo, headers=((b"expect", b"100-continue"),))
    getattr(through, end)()
    with suppress(KeyError):  # of an application that does not know that clients leave
        await through.receive()
    assert connection.written == b""


async def test_unread_body_stops_reading_from_the_network() -> None:
    """Of a body that the application does not ask for only so much is taken from the network."""
    connection = FakeConnection()
    through = request(connection, echo)
    through.feed(b"x" * HIGH_WATER)
    assert connection.reading
    through.feed(b"x")
    assert not connection.reading


async def test_asgi_application_learns_of_the_disconnect() -> None:
    """An application is told that the client left."""
    told: list[str] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        told.append((await receive())["type"])

    through = request(FakeConnection(), listening)
    running = asyncio.create_task(through.run())
    await asyncio.sleep(0)
    through.connection_lost()
    await running
    assert told == ["http.disconnect"]
