"""One HTTP/1.1 connection: its requests are served one at a time, in order, within limits and timeouts.

`RequestReader` turns bytes into requests. This module decides when each is served, how much is read meanwhile, and how long a client
may take. A request of a direct route goes straight to its endpoint, every other one through ASGI.

`ReadState` names what the connection waits for; each state has a timeout, and at most one runs. None runs while the client waits for
the gateway. What a client does not read for `write_timeout` seconds closes the connection.

Memory: the network is read in small pieces unless the request being served reads its body, and not at all while another request is
queued behind it. So a client without a key occupies a few KB, however much it sends.
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
    100  # requests of one connection that are served or queued; the connection closes after the last of them
)
READ_BYTES = 4 * 1024  # read from the network at a time
BODY_READ_BYTES = 64 * 1024  # the same while the request being served reads its body


class ReadState(Enum):
    """What the client has to send next: a request, another one, the rest of a head, of a body, or of a body that is discarded."""

    REQUEST = "request"
    NEXT_REQUEST = "another"
    HEAD = "head"
    BODY = "body"
    DRAIN_BODY = "leftover"


class ServerConnection(RequestReader, asyncio.BufferedProtocol):
    """Created by uvicorn. Timeouts (in seconds) are class attributes so that tests can shorten them."""

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
        "_final_error",
        "_incoming",
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
        self._final_error: GatewayError | None = None  # answers what could not be read, after all requests before it
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

    # Callbacks of asyncio.BufferedProtocol.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a socket's reads and writes
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn only ever calls `shutdown`
        self._transport = transport
        self._start_timeout(ReadState.REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops every reference: cycles would keep the connection in memory until the next full collection."""
        self._server.connections.discard(self)
        self._start_timeout(None)
        if self._watch is not None:
            self._watch.stop()
        self._pipeline.clear()
        self._error = self._final_error = self._watch = None
        served, self._serving, self._incoming = self._serving, None, None
        if served is not None:
            served.connection_lost()
        self.resume_writing()
        del self._parser  # it refers to this connection

    def get_buffer(self, sizehint: int) -> bytearray:
        reader = None if self._message_done or self._incoming is not self._serving else self._serving
        self._buffer = bytearray(BODY_READ_BYTES if reader is not None and reader.wanted else READ_BYTES)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        data, self._buffer = self._buffer, bytearray()
        self.data_received(memoryview(data)[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Refusals have OpenAI's error shape. Invalid bytes are not logged, so that strangers cannot fill the log."""
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
        """The client sends no more. In the middle of its request or of its answer this means that it has left."""
        if self._pipeline or not self._headers_done:
            self._drop_unfinished()
        served = self._serving
        if served is None or served.response_started or not self._message_done:
            return False
        self._final = True
        if self._final_error is None:
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

    # Called by uvicorn's server.

    def shutdown(self) -> None:
        """Close after the current answer."""
        if self._serving is None:
            self._transport.close()
        else:
            self._serving.keep_alive = False

    # Callbacks of RequestReader.

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

    # Called by the request being served.

    async def drain(self) -> None:
        """Returns once the write buffer has room, or the client has left."""
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
        """The header lines of every answer."""
        headers = self._server.default_headers  # uvicorn replaces the list each second, for its date
        if headers is not self._default_headers:
            self._default_headers, self._default_header_bytes = headers, encode_headers(headers)
        return self._default_header_bytes

    def response_done(self) -> None:
        """The request being served was answered. What still arrives of its body is dropped."""
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
            self._read_next()
        elif self._final_error is not None:
            self._end(self._final_error)
        else:
            self._read_next()

    def close(self) -> None:
        """Close once what is written has been read, at the latest after `write_timeout`."""
        if self._serving is not None and self._serving.response_complete:
            return  # uvicorn closes after a last answer; `response_done`, which follows, does it
        self._transport.close()
        self._start_write_timeout()

    def _drop_unfinished(self) -> None:
        """The request being read will not be complete; take it out of the pipeline."""
        if self._headers_done and not self._message_done and self._pipeline:
            self._pipeline.pop()
            self._incoming = None
        self._headers_done = self._message_done = True

    def _read_next(self) -> None:
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
            default_headers=self._server.default_headers,
            keep_alive=keep_alive,
        )

    def _start_serving(self, request: DirectRequest | AsgiRequest) -> None:
        self._serving = request
        task = self._loop.create_task(request.run())
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _queued(self) -> bool:
        """Whether another request is queued behind the one being served."""
        return self._serving is not None and (bool(self._pipeline) or not self._headers_done)

    def _expected(self) -> ReadState | None:
        """What the client has to send next; None while the gateway has to answer."""
        if self._headers_done and not self._message_done:
            if self._pipeline:
                return None
            return ReadState.DRAIN_BODY if self._serving is None else ReadState.BODY
        if self._serving is not None:
            return None
        return ReadState.REQUEST if self._message_done else ReadState.HEAD

    def _start_timeout(self, awaited: ReadState | None) -> None:
        """Start the timeout for `awaited`, unless it is the one that runs."""
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
        """Read no further, and answer `error` after the requests before it; never as a second answer to one request."""
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
        self._drop_unfinished()
        if self._serving is not None:
            self._start_timeout(None)
            self._final_error = error
        else:
            self._end(error)

    def _end(self, error: GatewayError | None = None) -> None:
        """Send the last answer, read on for a moment, and close (RFC 9112, 9.6).

        Closing at once would reset the connection, and the client might not see its answer.
        """
        self._discarding = True
        self._final_error = None
        if error is not None:
            self.write(last_answer(error, self.default_headers()))
        if self._watch is not None:  # there is nothing more to read
            self.close()
            return
        self._transport.write_eof()
        self.resume_reading()
        self._start_timeout(ReadState.DRAIN_BODY)

    def _start_write_timeout(self) -> None:
        """Reset the connection if the client does not read in time."""
        if self._write_timer is None:
            self._write_timer = self._loop.call_later(self.write_timeout, lambda: reset(self._transport))

    def _stop_write_timeout(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
