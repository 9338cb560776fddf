"""A client's connection: its bytes become requests, which are served one at a time, in order, within limits and deadlines.

httptools parses, which also refuses what could be read in two ways: two lengths, a length beside chunks, folded headers, bare
line ends. What it leaves open is here: caps on a request's head, exactly one Host, and how long a client may take. A request of
a direct route is served as it is, every other through ASGI; nothing else here knows a route.

A connection waits for its client in a few ways (`Awaited`), each with a deadline of its own, and at any moment at most one of
them runs; while the client waits for us, or for room to be sent more, none does. A client that does not read is another matter:
what cannot be written for `stall_seconds` ends the connection.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from enum import Enum
from typing import Any

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from gateway.errors import GatewayError, HeadersTooLarge, InvalidRequest, RequestTimeout
from gateway.web.client import Fields
from gateway.web.direct import DirectClient
from gateway.web.errors import error_response
from gateway.web.headers import lines
from gateway.web.routes import Application
from gateway.web.through import ThroughAsgi, scope_of

HEAD_BYTES = 32 * 1024  # also of trailers, and of chunk extensions between two bytes of a body
HEADERS = 100
PIPELINED = 100  # requests of one connection that may wait for their turn
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class Awaited(Enum):
    """What the client owes us: a request, another one, the rest of a head, of a body, or of a body that nobody wants any more."""

    REQUEST = "request"
    ANOTHER = "another"
    HEAD = "head"
    BODY = "body"
    LEFTOVER = "leftover"


class Connection(asyncio.Protocol):
    """uvicorn makes them. Seconds stand in the class, so that tests can be hasty."""

    seconds = {  # noqa: RUF012 - a table
        Awaited.REQUEST: 10.0,
        Awaited.ANOTHER: 5.0,
        Awaited.HEAD: 10.0,
        Awaited.BODY: 60.0,
        Awaited.LEFTOVER: 5.0,
    }
    stall_seconds = 60.0

    # Thousands of them are open at a time.
    __slots__ = (
        "_app",
        "_app_state",
        "_awaited",
        "_deadline",
        "_head_bytes",
        "_headed",
        "_headers",
        "_incoming",
        "_line",
        "_loop",
        "_parser",
        "_reading",
        "_refusal",
        "_refused",
        "_room",
        "_server",
        "_serving",
        "_stall",
        "_standing",
        "_standing_head",
        "_transport",
        "_unparsed",
        "_url",
        "_whole",
        "write_paused",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._app = config.loaded_app
        self._app_state = app_state
        self._server = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # what follows a last request is not read
        self._transport: asyncio.Transport
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._headed = self._whole = True
        self._head_bytes = self._unparsed = 0
        self._incoming: DirectClient | ThroughAsgi | None = None
        self._serving: DirectClient | ThroughAsgi | None = None
        self._line: list[DirectClient | ThroughAsgi] = []
        self._refusal: GatewayError | None = None
        self._refused = False
        self._reading = True
        self.write_paused = False
        self._room: asyncio.Event | None = None
        self._awaited: Awaited | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._standing: list[tuple[bytes, bytes]] | None = None
        self._standing_head = b""

    # What the event loop tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a socket's reads and writes
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn only ever calls `shutdown`
        self._transport = transport
        self._await(Awaited.REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._await(None)
        lost, self._serving, self._incoming = self._serving, None, None
        if lost is not None:
            lost.lost()
        self.resume_writing()
        del self._parser  # which knows this connection

    def data_received(self, data: bytes) -> None:
        """Refusals are in OpenAI's shape, and strangers' garbage does not fill the log."""
        if self._refused:
            return
        if not self._whole:
            self._unparsed += len(data)
        try:
            self._parser.feed_data(data)
            if not self._whole and self._unparsed > HEAD_BYTES:
                self._fail(_too_large())
        except httptools.HttpParserUpgrade:
            self._whole = True  # no other protocol is spoken here; the request itself is answered
        except (httptools.HttpParserError, GatewayError):
            self._refuse(self._refusal or InvalidRequest("This is not a valid request of HTTP/1.1.", code="bad_http"))
            return
        self._await(self._owed())

    def pause_writing(self) -> None:
        self.write_paused = True
        self._stalls()

    def resume_writing(self) -> None:
        self.write_paused = False
        self._reads()
        if self._room is not None:
            self._room.set()
            self._room = None

    # What the server tells.

    def shutdown(self) -> None:
        """The answer under way is the last."""
        if self._serving is None:
            self._transport.close()
        else:
            self._serving.keep_alive = False

    # What the parser tells.

    def on_message_begin(self) -> None:
        self._headed = self._whole = False
        self._head_bytes = self._unparsed = 0
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headed:
            return  # a trailer: nobody reads them
        self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES or len(self._headers) > HEADERS:
            self._fail(_too_large())

    def on_headers_complete(self) -> None:
        fields = dict(self._headers)
        version = self._parser.get_http_version()
        hosts = [value for name, value in self._headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and version != "1.0"):
            self._fail(InvalidRequest("A request has exactly one Host header.", code="bad_host"))
        if hosts and not HOST.fullmatch(hosts[0]):
            self._fail(InvalidRequest("The Host header names no host.", code="bad_host"))
        if len(self._line) >= PIPELINED:
            self._fail(InvalidRequest("Too many requests wait on this connection.", code="bad_http"))
        self._headed = True
        self._incoming = request = self._request(fields, version)
        if self._serving is None:
            self._serve(request)
        else:
            self._line.append(request)

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        if self._incoming is not None:
            self._incoming.feed(body)

    def on_message_complete(self) -> None:
        self._whole = True
        if self._incoming is not None:
            self._incoming.fed()

    # What its requests ask for.

    async def drain(self) -> None:
        """Returns once the client has read, or has left."""
        while self.write_paused:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()

    def standing_head(self) -> bytes:
        """Header lines that every answer has."""
        headers = self._server.default_headers  # the server makes new ones each second, for their date
        if headers is not self._standing:
            self._standing, self._standing_head = headers, lines(headers)
        return self._standing_head

    def answered(self, *, close: bool) -> None:
        """The request being served is; `close` when it was the last. What still comes of its body is dropped."""
        self._server.total_requests += 1
        if self._incoming is self._serving:
            self._incoming = None
        self._serving = None
        if close:
            self._transport.close()
        if self._transport.is_closing():
            self._stalls()
            return
        self.resume_reading()
        if self._line:
            self._serve(self._line.pop(0))
        self._await(Awaited.ANOTHER if self._whole and self._serving is None else self._owed())

    def close(self) -> None:
        """Once what is written has been read, or soon."""
        self._transport.close()
        self._stalls()

    def _request(self, fields: Fields, version: str) -> DirectClient | ThroughAsgi:
        method = self._parser.get_method().decode("ascii")
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        path, _, query = self._url.partition(b"?")
        endpoint = self._app.direct.get(path) if isinstance(self._app, Application) else None
        if endpoint is not None:
            return DirectClient(
                self,
                endpoint,
                method=method,
                query=query,
                headers=self._headers,
                fields=fields,
                chunked=version != "1.0",
                keep_alive=keep_alive,
            )
        scope = scope_of(
            self._transport,
            method=method,
            url=self._url,
            headers=self._headers,
            version=version,
            state=self._app_state,
        )
        return ThroughAsgi(
            self,
            self._app,
            scope,
            transport=self._transport,
            standing=self._server.default_headers,
            keep_alive=keep_alive,
        )

    def _serve(self, request: DirectClient | ThroughAsgi) -> None:
        self._serving = request
        task = self._loop.create_task(request.run())
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _owed(self) -> Awaited | None:
        """What the client has to do next; None while it is our turn."""
        if self._headed and not self._whole:
            if self._line:
                return None
            return Awaited.LEFTOVER if self._serving is None else Awaited.BODY
        if self._serving is not None:
            return None
        return Awaited.REQUEST if self._whole else Awaited.HEAD

    def _await(self, awaited: Awaited | None) -> None:
        """Start the deadline for `awaited`, unless that is what runs."""
        if awaited is self._awaited:
            return
        self._awaited = awaited
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if awaited is None else self._loop.call_later(self.seconds[awaited], self._late)

    def _late(self) -> None:
        if self._awaited in (Awaited.HEAD, Awaited.BODY):
            self._refuse(RequestTimeout(f"The request's {self._awaited.value} took too long to arrive."))
        else:
            self.close()

    def _fail(self, error: GatewayError) -> None:
        """Out of the parser, which wraps whatever its callbacks raise."""
        self._refusal = error
        raise error

    def _refuse(self, error: GatewayError) -> None:
        """Answer with `error` unless another answer is on its way here, read for a moment on what still comes, and close.

        Closing at once would reset the connection, and the client would never see the answer.
        """
        self._refused = True
        if self._line or (self._serving is not None and self._serving.response_started):
            self.close()
            return
        if self._serving is not None:
            self._serving.lost()
        self._transport.write(self._rendered(error))
        self.resume_reading()
        self._transport.write_eof()
        self._await(Awaited.LEFTOVER)

    def _rendered(self, error: GatewayError) -> bytes:
        headers = {"x-request-id": "req_" + secrets.token_hex(16), "connection": "close"}
        response = error_response(error, headers)
        head = (STATUS_LINE[response.status_code], self.standing_head(), lines(response.raw_headers), b"\r\n")
        return b"".join((*head, bytes(response.body)))

    def _stalls(self) -> None:
        """There is something that the client has to read before we go on."""
        if self._stall is None:
            self._stall = self._loop.call_later(self.stall_seconds, self._transport.abort)

    def _reads(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


def _too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"A request's head has at most {HEADERS} headers and {HEAD_BYTES} bytes.")
