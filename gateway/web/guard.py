"""What uvicorn's HTTP protocol leaves open: deadlines for slow clients, caps on a request's head, exactly one Host.

Nothing here knows a route. A connection waits for its client in a few ways (`Awaited`), each with a deadline of its own, and
at any moment at most one of them runs; while the client waits for us, or for room to be sent more, none does. A client that
does not read is another matter: what cannot be written for `stall_seconds` ends the connection.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from enum import Enum
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.errors import GatewayError, HeadersTooLarge, InvalidRequest, RequestTimeout
from gateway.web.errors import error_response

HEAD_BYTES = 32 * 1024  # also of trailers, and of chunk extensions between two bytes of a body
HEADERS = 100
PIPELINED = 100  # requests of one connection that may wait for their turn
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class Awaited(Enum):
    """What the client owes us: any request, the rest of a head, the rest of a body, or of a body that nobody wants any more."""

    REQUEST = "request"
    HEAD = "head"
    BODY = "body"
    LEFTOVER = "leftover"


class GuardedProtocol(HttpToolsProtocol):
    """Seconds stand in the class, so that tests can be hasty."""

    seconds = {Awaited.REQUEST: 10.0, Awaited.HEAD: 10.0, Awaited.BODY: 60.0, Awaited.LEFTOVER: 5.0}  # noqa: RUF012 - a table
    stall_seconds = 60.0

    # Apart from uvicorn's attributes, whose dictionary would double with a few more; it is one a connection.
    __slots__ = (
        "_awaited",
        "_deadline",
        "_head_bytes",
        "_headed",
        "_refusal",
        "_refused",
        "_stall",
        "_unparsed",
        "_whole",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._headed = self._whole = True
        self._head_bytes = self._unparsed = 0
        self._refusal: GatewayError | None = None
        self._refused = False
        self._awaited: Awaited | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._await(Awaited.REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        self._await(None)
        self._reads()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, but refusals are in OpenAI's shape, and strangers' garbage does not fill the log."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if not self._whole:
            self._unparsed += len(data)
        try:
            self.parser.feed_data(data)
            if not self._whole and self._unparsed > HEAD_BYTES:
                self._fail(_too_large())
        except httptools.HttpParserUpgrade:
            self._whole = True  # no other protocol is spoken here; the request itself is answered
        except (httptools.HttpParserError, GatewayError):
            self._refuse(self._refusal or InvalidRequest("This is not a valid request of HTTP/1.1.", code="bad_http"))
            return
        self._await(self._owed())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._headed = self._whole = False
        self._head_bytes = self._unparsed = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headed:
            return  # a trailer: uvicorn would add it to the headers of a request that is being served
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES or len(self.headers) > HEADERS:
            self._fail(_too_large())

    def on_headers_complete(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            self._fail(InvalidRequest("A request has exactly one Host header.", code="bad_host"))
        if hosts and not HOST.fullmatch(hosts[0]):
            self._fail(InvalidRequest("The Host header names no host.", code="bad_host"))
        if len(self.pipeline) >= PIPELINED:
            self._fail(InvalidRequest("Too many requests wait on this connection.", code="bad_http"))
        super().on_headers_complete()
        self._headed = True

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._whole = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._stalls()
        elif not self._whole:
            self._await(self._owed())

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalls()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reads()

    def _owed(self) -> Awaited | None:
        """What the client has to do next; None while it is our turn."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if self._headed and not self._whole:
            if self.pipeline:
                return None
            return Awaited.BODY if busy else Awaited.LEFTOVER
        if busy:
            return None
        return Awaited.REQUEST if self._whole else Awaited.HEAD

    def _await(self, awaited: Awaited | None) -> None:
        """Start the deadline for `awaited`, unless that is what runs."""
        if awaited is self._awaited:
            return
        self._awaited = awaited
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if awaited is None else self.loop.call_later(self.seconds[awaited], self._late)

    def _late(self) -> None:
        if self._awaited in (Awaited.HEAD, Awaited.BODY):
            self._refuse(RequestTimeout(f"The request's {self._awaited.value} took too long to arrive."))
        else:
            self._close()

    def _fail(self, error: GatewayError) -> None:
        """Out of the parser, which wraps whatever its callbacks raise."""
        self._refusal = error
        raise error

    def _refuse(self, error: GatewayError) -> None:
        """Answer with `error` unless another answer is on its way here, read for a moment on what still comes, and close.

        Closing at once would reset the connection, and the client would never see the answer.
        """
        self._refused = True
        busy = self.cycle is not None and not self.cycle.response_complete
        if self.pipeline or (busy and self.cycle.response_started):
            self._close()
            return
        if busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(self._rendered(error))
        self.flow.resume_reading()
        self.transport.write_eof()
        self._await(Awaited.LEFTOVER)

    def _rendered(self, error: GatewayError) -> bytes:
        headers = {"x-request-id": "req_" + secrets.token_hex(16), "connection": "close"}
        response = error_response(error, headers)
        lines = [b"%s: %s\r\n" % pair for pair in (*self.server_state.default_headers, *response.raw_headers)]
        return b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)])

    def _close(self) -> None:
        """Once what is written has been read, or soon."""
        self.transport.close()
        self._stalls()

    def _stalls(self) -> None:
        """There is something that the client has to read before we go on."""
        if self._stall is None:
            self._stall = self.loop.call_later(self.stall_seconds, self.transport.abort)

    def _reads(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None


def _too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"A request's head has at most {HEADERS} headers and {HEAD_BYTES} bytes.")
