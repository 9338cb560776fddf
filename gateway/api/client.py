"""Request and response of a route that bypasses ASGI, as one interface over a raw connection or over ASGI.

A head is the header lines, each with its line end, without the status line and the empty line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.types import Message, Receive, Scope, Send

from gateway.api.body import BodyShare, read_body

HeaderList = Sequence[tuple[bytes, bytes]]  # in the order of sending, names in lower case
HeaderMap = Mapping[bytes, bytes]  # by name; the last one of a repeated header


class RawRequest(Protocol):
    """`query` is the raw query string. Bytes for a client that has left are dropped."""

    @property
    def method(self) -> str: ...

    @property
    def query(self) -> bytes: ...

    @property
    def headers(self) -> HeaderList: ...

    @property
    def fields(self) -> HeaderMap: ...

    async def body(self, *, limit: int, share: BodyShare | None = None) -> bytes:
        """The whole body, at most `limit` bytes, which are taken from `share`.

        Raises InvalidRequest for a content encoding, RequestTooLarge, Overloaded, ClientDisconnected.
        """

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the client leaves: from the event loop, never from within the task that serves the request."""

    def off_disconnect(self) -> None:
        """Drop the callback."""

    async def respond(self, status: int, head: bytes, body: bytes) -> None:
        """Send a whole response; its length is added to the head."""

    async def begin(self, head: bytes) -> None:
        """Send the head of a streamed response, with status 200."""

    async def send(self, piece: bytes) -> None:
        """Send a non-empty piece of a streamed response. Waits while the client does not read."""

    def send_nowait(self, piece: bytes) -> bool:
        """Like `send` without waiting. False, and nothing is sent, while the client does not read."""

    async def end(self) -> None:
        """End a streamed response."""


class DirectEndpoint(Protocol):
    """The handler of a route that bypasses ASGI."""

    async def serve(self, client: RawRequest) -> None:
        """Respond, to errors as well. An exception that is raised anyway is a bug and is logged."""


class AsgiRawRequest:
    """A client behind an ASGI server. A separate task waits for `http.disconnect`, which ASGI reports only to a reader."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.query: bytes = scope.get("query_string", b"")
        self.headers: HeaderList = scope["headers"]
        self.fields: HeaderMap = dict(self.headers)
        self._receive = receive
        self._send = send
        self._watcher: asyncio.Task[None] | None = None

    async def body(self, *, limit: int, share: BodyShare | None = None) -> bytes:
        return await read_body(self.fields, self._receive, limit=limit, share=share)

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        self._watcher = asyncio.create_task(self._listen(callback))

    async def _listen(self, callback: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        callback()

    def off_disconnect(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    async def respond(self, status: int, head: bytes, body: bytes) -> None:
        await self._send(_start(status, head + b"content-length: %d\r\n" % len(body)))
        await self.end(body)

    async def begin(self, head: bytes) -> None:
        await self._send(_start(200, head))

    async def send(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    def send_nowait(self, piece: bytes) -> bool:
        return False

    async def end(self, body: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": body})


class AsgiAdapter:
    """A DirectEndpoint as an ASGI application."""

    def __init__(self, endpoint: DirectEndpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.serve(AsgiRawRequest(scope, receive, send))


def _start(status: int, head: bytes) -> Message:
    headers: list[tuple[Any, ...]] = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[:-1]]
    return {"type": "http.response.start", "status": status, "headers": headers}
