"""Connections without a network: a clock that moves when the test says so, a wire that keeps what is written, an endpoint that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import orjson
import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from gateway.api.body import ClientDisconnected
from gateway.api.client import AsgiAdapter, RawRequest
from gateway.api.routes import Application, DirectRoute
from gateway.server.connection import ServerConnection

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


class Opened:
    """A connection before an endpoint, or an application, that answers when it is told to."""

    def __init__(self, app: ASGIApp | None = None, *, reads: bool = True) -> None:
        self.clock = Clock()
        self.wire = Wire()
        self.requests: list[bytes] = []
        self.gone = 0
        self.answering = asyncio.Event()
        self.headers: set[bytes] = set()
        self._reads = reads
        self.server = ServerState()
        if app is None:
            app = Application()
            app.serve([DirectRoute("/", self)])
        config = uvicorn.Config(
            app, interface="asgi3", ws="none", log_config=None, access_log=False, proxy_headers=False
        )
        config.load()
        self.protocol = ServerConnection(config, self.server, {}, cast(Any, self.clock))
        self.protocol.connection_made(cast(Any, self.wire))

    async def serve(self, client: RawRequest) -> None:
        try:
            body = await client.body(limit=10**6) if self._reads else b""
        except ClientDisconnected:
            self.gone += 1
            return
        self.requests.append(body)
        self.headers = set(client.fields)
        await self.answering.wait()
        await client.respond(200, b"", b"ok")

    async def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)
            await self.turns()

    async def turns(self, number: int = 5) -> None:
        for _ in range(number):
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


class OpenedToAsgi(Opened):
    """The same before an ASGI application."""

    def __init__(self, *, reads: bool = True) -> None:
        super().__init__(AsgiAdapter(self), reads=reads)


Open = Callable[..., Opened]
