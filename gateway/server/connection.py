"""A client's connection: its bytes become requests, which are served one at a time, in order, within limits and deadlines.

What a request is, `RequestReader` knows. Here is when each is served, how much of what follows is read meanwhile, and how long
a client may take. A request of a direct route is served as it is, every other through ASGI; nothing else here knows a route.

A connection waits for its client in a few ways (`Awaited`), each with a deadline of its own, and at any moment at most one of
them runs; while the client waits for us, or for room to be sent more, none does. A client that does not read is another matter:
what cannot be written for `stall_seconds` ends the connection.

Memory: the network is read in small pieces unless the request being served reads its body, and not at all while something
waits behind that request. So a client without a key occupies a few KB, however much it sends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from gateway.api.client import HeaderMap
from gateway.api.errors import last_answer
from gateway.api.headers import encode_headers
from gateway.api.routes import Application
from gateway.errors import GatewayError, InvalidRequest, RequestTimeout
from gateway.server.asgi import AsgiRequest, scope_of
from gateway.server.direct import DirectRequest
from gateway.server.half_closed import ResetWatch, reset
from gateway.server.request_reader import RequestReader

MAX_PIPELINED = (
    100  # requests of one connection that may be under way at once; the connection ends after the last of them
)
PIECE = 4 * 1024  # bytes read from the network at a time
LARGE_PIECE = 64 * 1024  # the same while the request being served reads its body


class ReadState(Enum):
    """What the client owes us: a request, another one, the rest of a head, of a body, or of a body that nobody wants any more."""

    REQUEST = "request"
    NEXT_REQUEST = "another"
    HEAD = "head"
    BODY = "body"
    DRAIN_BODY = "leftover"


class ServerConnection(RequestReader, asyncio.BufferedProtocol):
    """uvicorn makes them. Seconds stand in the class, so that tests can be hasty."""

    timeouts = {  # noqa: RUF012 - a table
        ReadState.REQUEST: 10.0,
        ReadState.NEXT_REQUEST: 5.0,
        ReadState.HEAD: 10.0,
        ReadState.BODY: 60.0,
        ReadState.DRAIN_BODY: 5.0,
    }
    write_timeout = 60.0

    # Thousands of them are open at a time.
    __slots__ = (
        "_app",
        "_app_state",
        "_buffer",
        "_deadline",
        "_default_header_bytes",
        "_default_headers",
        "_discarding",
        "_final",
        "_incoming",
        "_last_word",
        "_loop",
        "_pipeline",
        "_read_state",
        "_reading",
        "_server",
        "_serving",
        "_transport",
        "_watch",
        "_writable",
        "_write_timer",
        "write_paused",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__()
        self._app = config.loaded_app
        self._app_state = app_state
        self._server = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._incoming: DirectRequest | AsgiRequest | None = None
        self._serving: DirectRequest | AsgiRequest | None = None
        self._pipeline: deque[DirectRequest | AsgiRequest] = deque()
        self._last_word: GatewayError | None = None  # refuses what could not be read, after all that was
        self._final = self._discarding = False
        self._watch: ResetWatch | None = None
        self._reading = True
        self.write_paused = False
        self._writable: asyncio.Event | None = None
        self._read_state: ReadState | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._default_headers: list[tuple[bytes, bytes]] | None = None
        self._default_header_bytes = b""

    # What the event loop tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a socket's reads and writes
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn only ever calls `shutdown`
        self._transport = transport
        self._start_timeout(ReadState.REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        """Everything is let go of: what refers to a connection, and is referred to by it, would stay in memory."""
        self._server.connections.discard(self)
        self._start_timeout(None)
        if self._watch is not None:
            self._watch.stop()
        self._pipeline.clear()
        self._error = self._last_word = self._watch = None
        lost, self._serving, self._incoming = self._serving, None, None
        if lost is not None:
            lost.connection_lost()
        self.resume_writing()
        del self._parser  # which knows this connection

    def get_buffer(self, sizehint: int) -> bytearray:
        reader = None if self._message_done or self._incoming is not self._serving else self._serving
        self._buffer = bytearray(LARGE_PIECE if reader is not None and reader.wanted else PIECE)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data, self._buffer = self._buffer, bytearray()
        self.data_received(memoryview(data)[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Refusals are in OpenAI's shape, and strangers' garbage does not fill the log."""
        if self._discarding:
            return
        refusal = self._read(data)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._start_timeout(self._expected())
        if self._queued():
            self.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more. Whoever does so in the middle of its request or of its answer has left."""
        if self._pipeline or not self._headers_done:
            self._forget_unfinished()
        served = self._serving
        if served is None or served.response_started or not self._message_done:
            return False
        self._final = True
        if self._last_word is None:
            (self._pipeline[-1] if self._pipeline else served).keep_alive = False
        self._watch = ResetWatch(self._transport, self._loop.call_later)
        return True

    def pause_writing(self) -> None:
        self.write_paused = True
        self._start_write_timeout()

    def resume_writing(self) -> None:
        self.write_paused = False
        self._stop_write_timeout()
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # What the server tells.

    def shutdown(self) -> None:
        """The answer under way is the last."""
        if self._serving is None:
            self._transport.close()
        else:
            self._serving.keep_alive = False

    # What the reader tells.

    def _begin(self, fields: HeaderMap, *, method: bytes, version: str) -> None:
        if self._final:
            raise InvalidRequest("The request before this one was the last.", code="bad_http")
        self._incoming = request = self._request(fields, method.decode("ascii"), version)
        if self._serving is None:
            self._start_serving(request)
        else:
            self._pipeline.append(request)
            if len(self._pipeline) + 1 >= MAX_PIPELINED:
                request.keep_alive = False
        self._final = not request.keep_alive

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        if self._incoming is not None:
            self._incoming.feed(body)

    def _complete(self) -> None:
        if self._incoming is not None:
            self._incoming.end_of_body()

    # What its requests ask for.

    async def drain(self) -> None:
        """Returns once the client has read, or has left."""
        while self.write_paused:
            if self._writable is None:
                self._writable = asyncio.Event()
            await self._writable.wait()

    def write(self, data: bytes) -> None:
        if self._watch is not None:
            data = self._watch.rest_of(data)
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not (self._reading or self._queued()):
            self._reading = True
            self._transport.resume_reading()

    def default_headers(self) -> bytes:
        """Header lines that every answer has."""
        headers = self._server.default_headers  # the server makes new ones each second, for their date
        if headers is not self._default_headers:
            self._default_headers, self._default_header_bytes = headers, encode_headers(headers)
        return self._default_header_bytes

    def response_done(self) -> None:
        """The request being served is. What still comes of its body is dropped."""
        self._server.total_requests += 1
        served, self._serving = self._serving, None
        if self._incoming is served:
            self._incoming = None
        last = served is None or not served.keep_alive
        if self._transport.is_closing():
            self._start_write_timeout()
        elif last and (self._discarding or not (self._message_done and self._reading)):
            self._end()
        elif last:
            self.close()
        elif self._pipeline:
            self._start_serving(self._pipeline.popleft())
            self._go_on()
        elif self._last_word is not None:
            self._end(self._last_word)
        else:
            self._go_on()

    def close(self) -> None:
        """Once what is written has been read, or soon."""
        if self._serving is not None and self._serving.response_complete:
            return  # uvicorn closes after a last answer; `answered`, which follows, knows how
        self._transport.close()
        self._start_write_timeout()

    def _forget_unfinished(self) -> None:
        """The request that is coming in will not be whole; if it waits in the line, it waits no more."""
        if self._headers_done and not self._message_done and self._pipeline:
            self._pipeline.pop()
            self._incoming = None
        self._headers_done = self._message_done = True

    def _go_on(self) -> None:
        self.resume_reading()
        self._start_timeout(
            ReadState.NEXT_REQUEST if self._message_done and self._serving is None else self._expected()
        )

    def _request(self, fields: HeaderMap, method: str, version: str) -> DirectRequest | AsgiRequest:
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        path, _, query = self._url.partition(b"?")
        endpoint = self._app.bypass.get(path) if isinstance(self._app, Application) else None
        if endpoint is not None:
            return DirectRequest(
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
        return AsgiRequest(
            self,
            self._app,
            scope,
            standing=self._server.default_headers,
            keep_alive=keep_alive,
        )

    def _start_serving(self, request: DirectRequest | AsgiRequest) -> None:
        self._serving = request
        task = self._loop.create_task(request.run())
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _queued(self) -> bool:
        """Whether anything waits behind the request being served."""
        return self._serving is not None and (bool(self._pipeline) or not self._headers_done)

    def _expected(self) -> ReadState | None:
        """What the client has to do next; None while it is our turn."""
        if self._headers_done and not self._message_done:
            if self._pipeline:
                return None
            return ReadState.DRAIN_BODY if self._serving is None else ReadState.BODY
        if self._serving is not None:
            return None
        return ReadState.REQUEST if self._message_done else ReadState.HEAD

    def _start_timeout(self, awaited: ReadState | None) -> None:
        """Start the deadline for `awaited`, unless that is what runs."""
        if awaited is self._read_state:
            return
        self._read_state = awaited
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if awaited is None else self._loop.call_later(self.timeouts[awaited], self._on_timeout)

    def _on_timeout(self) -> None:
        if self._read_state in (ReadState.HEAD, ReadState.BODY):
            self._refuse(RequestTimeout(f"The request's {self._read_state.value} took too long to arrive."))
        else:
            self.close()

    def _refuse(self, error: GatewayError | None) -> None:
        """Read no further, and answer with `error` in its place: after the requests before it, and never as a second answer."""
        self._discarding = True
        unfinished = self._headers_done and not self._message_done
        if unfinished and not self._pipeline and self._serving is not None:
            if self._serving.response_started:
                self.close()
                return
            self._serving.connection_lost()
            self._serving = None
        elif (unfinished and not self._pipeline) or self._final:
            error = None
        self._forget_unfinished()
        if self._serving is not None:
            self._start_timeout(None)
            self._last_word = error
        else:
            self._end(error)

    def _end(self, error: GatewayError | None = None) -> None:
        """Say the last, read for a moment on what still comes, and close.

        Closing at once would reset the connection, and the client would never see its answer.
        """
        self._discarding = True
        self._last_word = None
        if error is not None:
            self.write(last_answer(error, self.default_headers()))
        if self._watch is not None:  # there is nothing more to read
            self.close()
            return
        self._transport.write_eof()
        self.resume_reading()
        self._start_timeout(ReadState.DRAIN_BODY)

    def _start_write_timeout(self) -> None:
        """There is something that the client has to read before we go on."""
        if self._write_timer is None:
            self._write_timer = self._loop.call_later(self.write_timeout, self._reset)

    def _reset(self) -> None:
        reset(self._transport)

    def _stop_write_timeout(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
