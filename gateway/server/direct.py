"""Request and response of a route that bypasses ASGI, over the gateway's own HTTP/1.1 connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.api.body import BodyShare, ClientDisconnected, alone, check_encoding, too_large
from gateway.api.client import DirectEndpoint, HeaderList, HeaderMap

HIGH_WATER = 8 * 1024  # bytes of a body that are read from the network before the caller's key is checked
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

log = logging.getLogger(__name__)


class ConnectionLike(Protocol):
    """The part of a connection that its requests use."""

    @property
    def write_paused(self) -> bool:
        """Whether the client has to read before more should be written."""

    async def drain(self) -> None:
        """Wait until the client has read, or has left."""

    def write(self, data: bytes) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def default_headers(self) -> bytes:
        """Header lines of every response."""

    def response_done(self) -> None:
        """The current request is done; the connection stays open only if its `keep_alive` is True."""

    def is_closing(self) -> bool: ...

    def close(self) -> None: ...


class DirectRequest:
    """One request. The connection feeds it while the endpoint serves it."""

    __slots__ = (
        "_arrival",
        "_chunked",
        "_connection",
        "_disconnect_callback",
        "_disconnected",
        "_endpoint",
        "_limit",
        "_pieces",
        "_size",
        "_whole",
        "fields",
        "headers",
        "keep_alive",
        "method",
        "query",
        "response_complete",
        "response_started",
    )

    def __init__(
        self,
        connection: ConnectionLike,
        endpoint: DirectEndpoint,
        *,
        method: str,
        query: bytes,
        headers: HeaderList,
        fields: HeaderMap,
        chunked: bool,
        keep_alive: bool,
    ) -> None:
        """`chunked`: the client understands chunked encoding (HTTP/1.1). `keep_alive`: the connection may be used again."""
        self._connection = connection
        self._endpoint = endpoint
        self.method = method
        self.query = query
        self.headers = headers
        self.fields = fields
        self._chunked = chunked
        self.keep_alive = keep_alive
        self._pieces: list[bytes] = []
        self._size = self._limit = 0
        self._whole = self._disconnected = False
        self._arrival: asyncio.Future[None] | None = None
        self._disconnect_callback: Callable[[], None] | None = None
        self.response_started = self.response_complete = False

    # Called by the connection.

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._arrival is None:
            if self._size > HIGH_WATER:
                self._connection.pause_reading()
        elif self._size > self._limit:
            self._wake_reader()

    def end_of_body(self) -> None:
        """The body is complete."""
        self._whole = True
        self._wake_reader()

    def connection_lost(self) -> None:
        """The client has left."""
        self._disconnected = True
        self._wake_reader()
        self._notify_disconnect()

    async def run(self) -> None:
        """Serve the request; a response that is not complete ends the connection."""
        try:
            await self._endpoint.serve(self)
        except Exception:  # a bug; the client has its error already, as far as that was possible
            log.exception("a request failed because of an internal error")
        finally:
            if not (self.response_complete or self._disconnected):
                self._connection.close()

    # Called by the endpoint.

    @property
    def wanted(self) -> bool:
        """Whether the endpoint reads the body."""
        return self._limit > 0

    async def body(self, *, limit: int, share: BodyShare | None = None) -> bytes:
        share = share or alone(limit)
        self._limit = share.cover(check_encoding(self.fields, limit=limit), limit=limit)
        if (
            self._chunked
            and not (self._whole or self._disconnected)
            and self.fields.get(b"expect", b"").lower() == b"100-continue"
        ):
            self._connection.write(CONTINUE)
        self._connection.resume_reading()
        try:
            while not self._disconnected and self._size <= limit:
                if self._size > self._limit:  # the length is not announced: the share is doubled
                    self._limit = share.cover(2 * self._size, limit=limit)
                if self._whole:
                    break
                self._arrival = asyncio.get_running_loop().create_future()
                await self._arrival
        finally:
            self._arrival = None
        if self._disconnected:
            raise ClientDisconnected("The client left.")
        if self._size > limit:
            raise too_large(limit)
        share.cover(self._size, limit=limit)
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        self._disconnect_callback = callback
        if self._disconnected:
            asyncio.get_running_loop().call_soon(self._notify_disconnect)

    def off_disconnect(self) -> None:
        self._disconnect_callback = None

    async def respond(self, status: int, head: bytes, body: bytes) -> None:
        if self._connection.write_paused:
            await self._connection.drain()
        if self._disconnected:
            return
        content = b"" if self.method == "HEAD" else body
        self._connection.write(self._head(status, b"%bcontent-length: %d\r\n\r\n" % (head, len(body))) + content)
        self._complete()

    async def begin(self, head: bytes) -> None:
        if self._connection.write_paused:
            await self._connection.drain()
        if not self._disconnected:
            framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
            self._connection.write(self._head(200, head + framing))

    async def send(self, piece: bytes) -> None:
        if self._connection.write_paused:
            await self._connection.drain()
        if not self._disconnected:
            self._connection.write(self._framed(piece))

    def send_nowait(self, piece: bytes) -> bool:
        if self._connection.write_paused:
            return False
        if not self._disconnected:
            self._connection.write(self._framed(piece))
        return True

    def _framed(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece

    async def end(self) -> None:
        if self._connection.write_paused:
            await self._connection.drain()
        if self._disconnected:
            return
        if self._chunked:
            self._connection.write(LAST_CHUNK)
        self._complete()

    def _head(self, status: int, rest: bytes) -> bytes:
        self.response_started = True
        closing = b"" if self.keep_alive else b"connection: close\r\n"
        return b"".join((STATUS_LINE[status], self._connection.default_headers(), closing, rest))

    def _complete(self) -> None:
        self.response_complete = True
        self._connection.response_done()

    def _wake_reader(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _notify_disconnect(self) -> None:
        if self._disconnect_callback is not None:
            self._disconnect_callback()
