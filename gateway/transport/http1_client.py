"""The lean engine: HTTP/1.1 on asyncio and httptools, with a pool of kept connections and nothing that a gateway does not need."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httptools

from gateway.completion import UpstreamRequest
from gateway.errors import UpstreamError, UpstreamStaleConnection, UpstreamUnreachable
from gateway.transport.base import Sink, Timeouts, UpstreamResponse, body_of, headers_of, refuse_encoding, tls_context
from gateway.transport.errors import disconnected, not_http, timed_out, truncated, unreachable, unreachable_proxy
from gateway.transport.http1_connection import End, Http1Connection
from gateway.transport.proxies import Proxies, Proxy
from gateway.transport.tunnel import PROXY_AUTHENTICATION_REQUIRED, Tunnel, TunnelRefused

MAX_IDLE = 100  # connections kept for one origin
MAX_DESTINATIONS = 1000  # URLs remembered


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go; those of one origin are alike."""

    host: str
    port: int
    secure: bool
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """What requests to one URL with the same headers share: where to connect, and their head up to the body's length.

    `idle` are the origin's resting connections, the one that rested last at the end.
    """

    origin: Origin
    idle: list[Http1Connection]
    headers: Mapping[str, str]
    head: bytes


class Http1Transport:
    """One for the process, used by one event loop. `keep_alive`: seconds for which an unused connection is kept.

    How many requests run at once is limited where they are admitted; here everyone gets a connection.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, keep_alive: float = 30.0, proxies: Proxies | None = None
    ) -> None:
        self._tls = tls if tls is not None else tls_context()
        self._proxies = proxies if proxies is not None else Proxies()
        self._keep_alive = keep_alive
        self._idle: dict[Origin, list[Http1Connection]] = {}
        self._destinations: dict[str, PreparedRequest] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, request: UpstreamRequest, *, timeouts: Timeouts) -> UpstreamResponse:
        destination = self._destination(request)
        body = body_of(request)
        wire = (b"%b%d\r\n\r\n" % (destination.head, len(body)), body)
        response = Http1Response(self, destination, timeouts, provider=request.provider)
        kept = self._kept(destination.idle)
        if kept is None:
            await response.begin(await self._connect(destination.origin, timeouts, provider=request.provider), wire)
            return response
        try:
            await response.begin(kept, wire, kept=True)
        except UpstreamStaleConnection:
            # Those that have rested for longer are most likely closed, too.
            while destination.idle and destination.idle[0].idle_since <= kept.idle_since:
                destination.idle.pop(0).drop()
            raise
        return response

    def _kept(self, idle: list[Http1Connection]) -> Http1Connection | None:
        """The connection used last, for it is the least likely to be closed; those that are closed, or will be soon, are dropped."""
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if now < connection.idle_since + min(self._keep_alive, connection.keep_alive) and connection.quiet:
                return connection
            connection.drop()
        return None

    def _destination(self, request: UpstreamRequest) -> PreparedRequest:
        """Made once for each URL and headers object: a gateway asks at few, though clients may name models that make more."""
        found = self._destinations.get(request.url)
        if found is None or found.headers is not request.headers:
            if len(self._destinations) >= MAX_DESTINATIONS:
                self._destinations.clear()
            found = self._destinations[request.url] = self._prepared(request)
        return found

    def _prepared(self, request: UpstreamRequest) -> PreparedRequest:
        origin, target, host = _address_of(request, self._proxies)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers_of(request).items())
        if origin.proxy is not None and not origin.secure:
            target = b"http://%b%b" % (host, target)
            if origin.proxy.authorization is not None:
                lines += f"proxy-authorization: {origin.proxy.authorization}\r\n"
        head = b"POST %b HTTP/1.1\r\nhost: %b\r\n%bcontent-length: " % (target, host, lines.encode())
        return PreparedRequest(origin, self._idle.setdefault(origin, []), request.headers, head)

    async def aclose(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.drop()
            connections.clear()
        await asyncio.sleep(0)  # the loop closes sockets in its next round

    def release(self, connection: Http1Connection, idle: list[Http1Connection]) -> None:
        """Keep a connection whose exchange is over, or close it."""
        if self._closed or not connection.reusable:
            connection.drop()
            return
        connection.park()
        idle.append(connection)
        if len(idle) > MAX_IDLE:
            idle.pop(0).drop()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._keep_alive, self._sweep)

    def _sweep(self) -> None:
        """Close what has rested for too long. One timer for all connections costs a request nothing."""
        loop = asyncio.get_running_loop()
        too_long = loop.time() - self._keep_alive
        for idle in self._idle.values():
            while idle and idle[0].idle_since <= too_long:
                idle.pop(0).drop()
        oldest = min((idle[0].idle_since for idle in self._idle.values() if idle), default=None)
        self._sweeper = None if oldest is None else loop.call_at(oldest + self._keep_alive, self._sweep)

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
        """A connection to the proxy itself for `http`, one through its tunnel for `https`."""
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
            if inner is None:  # closed meanwhile
                raise ConnectionResetError
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(inner)
        return connection


class Http1Response(UpstreamResponse):
    """A request's answer, on a connection that goes back to the engine when it ends. Times are by the event loop's clock."""

    __slots__ = (
        "_answer_by", "_closed", "_connection", "_deadline", "_destination", "_engine", "_headers", "_loop",
        "_whole", "provider", "status",
    )  # fmt: skip

    # From begin on, before which nobody has the response.
    _connection: Http1Connection
    _headers: Mapping[bytes, bytes]

    def __init__(
        self, engine: Http1Transport, destination: PreparedRequest, timeouts: Timeouts, *, provider: str
    ) -> None:
        self.provider = provider
        self.status = 0
        self._engine = engine
        self._destination = destination
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._answer_by = now + min(timeouts.first_byte, timeouts.total)
        self._deadline = now + timeouts.total
        self._closed = False
        self._whole = False

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()}

    async def begin(self, connection: Http1Connection, request: Sequence[bytes], *, kept: bool = False) -> None:
        """Send on this connection and wait for the headers. Nothing is sent twice: whoever asks decides about another attempt.

        `kept`: the connection has served before.
        """
        connection.begin(request)
        try:
            while not connection.headers_received:
                if connection.end is not None:
                    raise self._unanswered(connection, kept=kept)
                if not await connection.wait(self._answer_by):
                    raise timed_out(self.provider, seconds=min(self._timeouts.first_byte, self._timeouts.total))
            if connection.status == PROXY_AUTHENTICATION_REQUIRED and self._destination.origin.proxy is not None:
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
        while not (piece := self._received()) and not self._whole:
            await self._wait(self._connection.wait(min(self._loop.time() + self._timeouts.idle, self._deadline)))
        return piece

    async def stream_into(self, into: Sink) -> bool:
        connection = self._connection
        while True:
            if piece := self._received():
                if not into(piece):
                    return True
            elif self._whole:
                return False
            else:
                await self._wait(connection.stream_into(into, silence=self._timeouts.idle, latest=self._deadline))
                if connection.paused:
                    return True

    def _received(self) -> bytes:
        """What came of the body since the last time; at its end nothing, and the connection goes back."""
        if self._whole:
            return b""
        if self._closed:  # the connection may be serving another request
            raise truncated(self.provider, status=self.status)
        if self._loop.time() >= self._deadline:
            raise self._too_late(self._timeouts.total)
        connection = self._connection
        piece = connection.take()
        if not piece and connection.end is not None:
            self._release()
            self._check(connection.end)
            self._whole = True
        return piece

    async def _wait(self, news: asyncio.Future[bool]) -> None:
        if not await news and self._loop.time() < self._deadline:
            raise self._too_late(self._timeouts.idle)

    async def aclose(self) -> None:
        self._release()

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            self._engine.release(self._connection, self._destination.idle)

    def _check(self, end: End) -> None:
        if end is End.LOST:
            raise truncated(self.provider, status=self.status)
        if end is End.PROTOCOL_ERROR:
            raise not_http(self.provider, status=self.status)

    def _unanswered(self, connection: Http1Connection, *, kept: bool) -> UpstreamError:
        """No headers came: either bytes that are not HTTP, or the connection went."""
        if connection.end is End.PROTOCOL_ERROR:
            return not_http(self.provider)
        lost = connection.closed_by or ConnectionError()
        if not connection.sent:
            return unreachable(self.provider, lost)
        return disconnected(self.provider, lost, kept=kept and not connection.started)

    def _too_late(self, seconds: float) -> UpstreamError:
        self._connection.drop()
        return timed_out(self.provider, seconds=seconds, status=self.status)


def _address_of(request: UpstreamRequest, proxies: Proxies) -> tuple[Origin, bytes, bytes]:
    """Where a request goes, what it asks for there, and the host it names."""
    try:
        url = httptools.parse_url(request.url.encode("ascii"))
    except (UnicodeError, httptools.HttpParserInvalidURLError) as error:
        raise UpstreamUnreachable(
            f"{request.provider} cannot be reached: its URL is none.", provider=request.provider
        ) from error
    secure = url.schema == b"https"
    host = b"[%s]" % url.host if b":" in url.host else url.host
    return (
        Origin(url.host.decode(), url.port or (443 if secure else 80), secure, proxies.of(request.url)),
        (url.path or b"/") + (b"?" + url.query if url.query else b""),
        host + b":%d" % url.port if url.port else host,
    )
