"""The built-in HTTP/1.1 client on asyncio and httptools, with a pool of idle connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httptools

from gateway.completion import UpstreamRequest
from gateway.errors import UpstreamError, UpstreamStaleConnection, UpstreamUnreachable
from gateway.transport.base import (
    Sink,
    Timeouts,
    UpstreamResponse,
    encode_body,
    encode_headers,
    refuse_encoding,
    tls_context,
)
from gateway.transport.errors import disconnected, not_http, timed_out, truncated, unreachable, unreachable_proxy
from gateway.transport.http1_connection import End, Http1Connection
from gateway.transport.proxies import Proxies, Proxy
from gateway.transport.tunnel import PROXY_AUTHENTICATION_REQUIRED, Tunnel, TunnelRefused

MAX_IDLE = 100  # idle connections per origin
MAX_PREPARED = 1000  # cached prepared requests, one per URL


@dataclass(frozen=True, slots=True)
class Origin:
    """Host, port, TLS and proxy of a connection; connections of one origin are interchangeable."""

    host: str
    port: int
    secure: bool
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """What requests to one URL with the same headers share: the origin, and the header bytes up to the content length.

    `idle` are the origin's idle connections, the most recently used one last.
    """

    origin: Origin
    idle: list[Http1Connection]
    headers: Mapping[str, str]
    head: bytes


class Http1Transport:
    """One per process, used by one event loop. `keep_alive`: seconds before an idle connection is closed.

    The number of connections is not limited here: the gateway limits concurrent requests at admission.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, keep_alive: float = 30.0, proxies: Proxies | None = None
    ) -> None:
        self._tls = tls if tls is not None else tls_context()
        self._proxies = proxies if proxies is not None else Proxies()
        self._keep_alive = keep_alive
        self._idle: dict[Origin, list[Http1Connection]] = {}
        self._prepared_by_url: dict[str, PreparedRequest] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, request: UpstreamRequest, *, timeouts: Timeouts) -> UpstreamResponse:
        prepared = self._prepared(request)
        body = encode_body(request)
        wire = (b"%b%d\r\n\r\n" % (prepared.head, len(body)), body)
        response = Http1Response(self, prepared, timeouts, provider=request.provider)
        connection = self._take_idle(prepared.idle)
        if connection is None:
            await response.start(await self._connect(prepared.origin, timeouts, provider=request.provider), wire)
            return response
        try:
            await response.start(connection, wire, reused=True)
        except UpstreamStaleConnection:
            # Connections that were idle for longer are most likely closed, too.
            while prepared.idle and prepared.idle[0].idle_since <= connection.idle_since:
                prepared.idle.pop(0).drop()
            raise
        return response

    def _take_idle(self, idle: list[Http1Connection]) -> Http1Connection | None:
        """The most recently used idle connection, the least likely to be closed. Closed and expiring ones are dropped."""
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if now < connection.idle_since + min(self._keep_alive, connection.keep_alive) and connection.is_available:
                return connection
            connection.drop()
        return None

    def _prepared(self, request: UpstreamRequest) -> PreparedRequest:
        """Built once per URL and headers object. There are few URLs, but clients can name models that make more."""
        prepared = self._prepared_by_url.get(request.url)
        if prepared is None or prepared.headers is not request.headers:
            if len(self._prepared_by_url) >= MAX_PREPARED:
                self._prepared_by_url.clear()
            prepared = self._prepared_by_url[request.url] = self._prepare(request)
        return prepared

    def _prepare(self, request: UpstreamRequest) -> PreparedRequest:
        origin, target, host = _origin_target_host(request, self._proxies)
        lines = "".join(f"{name}: {value}\r\n" for name, value in encode_headers(request).items())
        if origin.proxy is not None and not origin.secure:
            target = b"http://%b%b" % (host, target)
            if origin.proxy.authorization is not None:
                lines += f"proxy-authorization: {origin.proxy.authorization}\r\n"
        head = b"POST %b HTTP/1.1\r\nhost: %b\r\n%bcontent-length: " % (target, host, lines.encode())
        return PreparedRequest(origin, self._idle.setdefault(origin, []), request.headers, head)

    async def aclose(self) -> None:
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.drop()
            connections.clear()
        await asyncio.sleep(0)  # the event loop closes sockets in its next iteration

    def release(self, connection: Http1Connection, idle: list[Http1Connection]) -> None:
        """Return a connection to the pool, or close it where it cannot be reused."""
        if self._closed or not connection.is_reusable:
            connection.drop()
            return
        connection.park()
        idle.append(connection)
        if len(idle) > MAX_IDLE:
            idle.pop(0).drop()
        if self._sweep_timer is None:
            self._sweep_timer = asyncio.get_running_loop().call_later(self._keep_alive, self._sweep)

    def _sweep(self) -> None:
        """Close connections that were idle for too long. One timer serves all, so a request pays nothing for it."""
        loop = asyncio.get_running_loop()
        expired = loop.time() - self._keep_alive
        for idle in self._idle.values():
            while idle and idle[0].idle_since <= expired:
                idle.pop(0).drop()
        oldest = min((idle[0].idle_since for idle in self._idle.values() if idle), default=None)
        self._sweep_timer = None if oldest is None else loop.call_at(oldest + self._keep_alive, self._sweep)

    async def _connect(self, origin: Origin, timeouts: Timeouts, *, provider: str) -> Http1Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(timeouts.connect, timeouts.total)):
                if origin.proxy is not None:
                    return await self._connect_through(origin.proxy, origin, provider=provider)
                _, connection = await loop.create_connection(
                    lambda: Http1Connection(loop), origin.host, origin.port, ssl=self._tls if origin.secure else None
                )
        except (OSError, UnicodeError) as error:
            raise unreachable(provider, error) from error
        return connection

    async def _connect_through(self, proxy: Proxy, origin: Origin, *, provider: str) -> Http1Connection:
        """For `http` a connection to the proxy itself, for `https` a TLS connection through its tunnel."""
        loop = asyncio.get_running_loop()
        tls = self._tls if proxy.secure else None
        try:
            if not origin.secure:
                return (await loop.create_connection(lambda: Http1Connection(loop), proxy.host, proxy.port, ssl=tls))[1]
            transport, tunnel = await loop.create_connection(
                lambda: Tunnel(loop, proxy, origin.host, origin.port), proxy.host, proxy.port, ssl=tls
            )
        except (OSError, UnicodeError) as error:
            raise unreachable_proxy(provider, error) from error
        try:
            try:
                await tunnel.opened
            except OSError as error:
                raise unreachable_proxy(provider, error) from error
            connection = Http1Connection(loop)
            inner = await loop.start_tls(transport, connection, self._tls, server_hostname=origin.host)
            if inner is None:  # closed during the handshake
                raise ConnectionResetError
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(inner)
        return connection


class Http1Response(UpstreamResponse):
    """A response on a connection that returns to the pool at its end. Times are on the event loop's clock."""

    __slots__ = (
        "_closed", "_complete", "_connection", "_deadline", "_first_byte_deadline", "_headers", "_loop", "_prepared",
        "_transport", "provider", "status",
    )  # fmt: skip

    # Set by start, before anyone has the response.
    _connection: Http1Connection
    _headers: Mapping[bytes, bytes]

    def __init__(
        self, transport: Http1Transport, prepared: PreparedRequest, timeouts: Timeouts, *, provider: str
    ) -> None:
        self.provider = provider
        self.status = 0
        self._transport = transport
        self._prepared = prepared
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._first_byte_deadline = now + min(timeouts.first_byte, timeouts.total)
        self._deadline = now + timeouts.total
        self._closed = False
        self._complete = False

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()}

    async def start(self, connection: Http1Connection, request: Sequence[bytes], *, reused: bool = False) -> None:
        """Send on this connection and wait for the headers. Nothing is sent twice: the caller decides about a retry.

        `reused`: the connection has served a request before.
        """
        connection.send(request)
        try:
            while not connection.headers_received:
                if connection.end is not None:
                    raise self._no_response_error(connection, reused=reused)
                if not await connection.wait(self._first_byte_deadline):
                    raise timed_out(self.provider, seconds=min(self._timeouts.first_byte, self._timeouts.total))
            if connection.status == PROXY_AUTHENTICATION_REQUIRED and self._prepared.origin.proxy is not None:
                raise unreachable_proxy(self.provider, TunnelRefused(connection.status))
            self._connection = connection
            self.status = connection.status
            self._headers = connection.headers
            if b"content-encoding" in self._headers:
                refuse_encoding(self.headers, provider=self.provider, status=self.status)
        except BaseException:
            connection.drop()
            raise

    async def read_chunk(self) -> bytes:
        while not (chunk := self._take_received()) and not self._complete:
            await self._wait(self._connection.wait(min(self._loop.time() + self._timeouts.idle, self._deadline)))
        return chunk

    async def stream_into(self, sink: Sink) -> bool:
        connection = self._connection
        while True:
            if chunk := self._take_received():
                if not sink(chunk):
                    return True
            elif self._complete:
                return False
            else:
                await self._wait(
                    connection.stream_into(sink, idle_timeout=self._timeouts.idle, deadline=self._deadline)
                )
                if connection.paused:
                    return True

    def _take_received(self) -> bytes:
        """Body bytes received since the last call. Empty at the end, where the connection returns to the pool."""
        if self._complete:
            return b""
        if self._closed:  # the connection may already serve another request
            raise truncated(self.provider, status=self.status)
        if self._loop.time() >= self._deadline:
            raise self._timed_out(self._timeouts.total)
        connection = self._connection
        chunk = connection.read_buffered()
        if not chunk and connection.end is not None:
            self._release()
            self._raise_for(connection.end)
            self._complete = True
        return chunk

    async def _wait(self, progress: asyncio.Future[bool]) -> None:
        if not await progress and self._loop.time() < self._deadline:
            raise self._timed_out(self._timeouts.idle)

    async def aclose(self) -> None:
        self._release()

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            self._transport.release(self._connection, self._prepared.idle)

    def _raise_for(self, end: End) -> None:
        if end is End.LOST:
            raise truncated(self.provider, status=self.status)
        if end is End.PROTOCOL_ERROR:
            raise not_http(self.provider, status=self.status)

    def _no_response_error(self, connection: Http1Connection, *, reused: bool) -> UpstreamError:
        """The error where no headers arrived: the bytes are not HTTP, or the connection was closed."""
        if connection.end is End.PROTOCOL_ERROR:
            return not_http(self.provider)
        cause = connection.closed_by or ConnectionError()
        if not connection.sent:
            return unreachable(self.provider, cause)
        return disconnected(self.provider, cause, reused=reused and not connection.started)

    def _timed_out(self, seconds: float) -> UpstreamError:
        self._connection.drop()
        return timed_out(self.provider, seconds=seconds, status=self.status)


def _origin_target_host(request: UpstreamRequest, proxies: Proxies) -> tuple[Origin, bytes, bytes]:
    """The origin, the request target and the `host` header of a request."""
    try:
        url = httptools.parse_url(request.url.encode("ascii"))
    except (UnicodeError, httptools.HttpParserInvalidURLError) as error:
        raise UpstreamUnreachable(
            f"{request.provider} cannot be reached: its URL is not valid.", provider=request.provider
        ) from error
    secure = url.schema == b"https"
    host = b"[%s]" % url.host if b":" in url.host else url.host
    return (
        Origin(url.host.decode(), url.port or (443 if secure else 80), secure, proxies.of(request.url)),
        (url.path or b"/") + (b"?" + url.query if url.query else b""),
        host + b":%d" % url.port if url.port else host,
    )
