"""Who asked a direct route: what came from there, and the way back, whatever carries the two.

A head is header lines, each with its line end, without the status line and the empty one: it is written as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.types import Message, Receive, Scope, Send

from gateway.api.body import BodyShare, read_body

HeaderList = Sequence[tuple[bytes, bytes]]  # as they were sent, names in lower case
HeaderMap = Mapping[bytes, bytes]  # the same by name; the last of those that were sent twice


class RawRequest(Protocol):
    """`query` is the raw query string. What is sent to a client that has left is dropped."""

    @property
    def method(self) -> str: ...

    @property
    def query(self) -> bytes: ...

    @property
    def headers(self) -> HeaderList: ...

    @property
    def fields(self) -> HeaderMap: ...

    async def body(self, *, limit: int, share: BodyShare | None = None) -> bytes:
        """All of it, at most `limit` bytes, taken from `share`. Raises what `refuse_unreadable` does, RequestTooLarge, Overloaded, ClientGone."""

    def on_disconnect(self, left: Callable[[], None]) -> None:
        """From now on, call `left` when the client leaves, from the event loop, not from within the task that serves it."""

    def off_disconnect(self) -> None:
        """Nobody wants to know any more."""

    async def respond(self, status: int, head: bytes, body: bytes) -> None:
        """The whole answer; its length is added to the head."""

    async def begin(self, head: bytes) -> None:
        """The head of a streamed answer, with status 200."""

    async def send(self, piece: bytes) -> None:
        """A piece of a streamed answer, not empty. Waits while the client does not read."""

    def send_nowait(self, piece: bytes) -> bool:
        """The same without waiting; False where it would have to, then the piece is not taken."""

    async def end(self) -> None:
        """A streamed answer is whole."""


class DirectEndpoint(Protocol):
    """What answers a direct route."""

    async def serve(self, client: RawRequest) -> None:
        """Answers every error itself; one that it raises as well is a mistake of ours and belongs into the log."""


class AsgiRawRequest:
    """A client behind an ASGI server, which tells of its leaving only to whom listens: that is a task of its own."""

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

    def on_disconnect(self, left: Callable[[], None]) -> None:
        self._watcher = asyncio.create_task(self._listen(left))

    async def _listen(self, left: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        left()

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
    """A direct endpoint as an ASGI application."""

    def __init__(self, endpoint: DirectEndpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint.serve(AsgiRawRequest(scope, receive, send))


def _start(status: int, head: bytes) -> Message:
    headers: list[tuple[Any, ...]] = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[:-1]]
    return {"type": "http.response.start", "status": status, "headers": headers}
