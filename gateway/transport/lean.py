"""The lean engine: HTTP/1.1 on asyncio and httptools, with a pool of kept connections and nothing that a gateway does not need."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import httptools

from gateway.errors import UpstreamError, UpstreamUnreachable
from gateway.transport.connection import Connection, End
from gateway.transport.seam import Timeouts, UpstreamResponse, encode, refuse_encoding
from gateway.transport.tls import tls_context
from gateway.transport.trouble import not_http, timed_out, truncated, unreachable
from gateway.wire import UpstreamRequest

MAX_IDLE = 100  # connections kept for one origin
MAX_ADDRESSES = 1000  # URLs remembered


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go; those of one origin are alike."""

    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True)
class Address:
    """A URL as a request needs it: where to connect, what to ask for, and the host to name."""

    origin: Origin
    target: bytes
    host: bytes


class _Stale(Exception):
    """A kept connection turned out to be closed before anything of the answer came."""


class LeanTransport:
    """One for the process, used by one event loop. `keep_alive`: seconds for which an unused connection is kept.

    How many requests run at once is limited where they are admitted; here everyone gets a connection.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, keep_alive: float = 30.0) -> None:
        self._tls = tls if tls is not None else tls_context()
        self._keep_alive = keep_alive
        self._idle: dict[Origin, list[Connection]] = {}
        self._addresses: dict[str, Address] = {}
        self._closed = False

    async def send(self, request: UpstreamRequest, *, timeouts: Timeouts) -> UpstreamResponse:
        address = self._address(request)
        exchange = _Exchange(request, address, timeouts, now=asyncio.get_running_loop().time())
        kept = self._kept(exchange.origin)
        if kept is not None:
            try:
                return await self._ask(kept, exchange)
            except _Stale:
                pass  # it was closed while it rested, so the upstream has not seen the request
        return await self._ask(await self._connect(exchange), exchange)

    def _address(self, request: UpstreamRequest) -> Address:
        """Read once: a gateway asks at few URLs, though a client may name models that make more."""
        found = self._addresses.get(request.url)
        if found is None:
            if len(self._addresses) >= MAX_ADDRESSES:
                self._addresses.clear()
            found = self._addresses[request.url] = _address_of(request)
        return found

    async def aclose(self) -> None:
        self._closed = True
        for connections in self._idle.values():
            for connection in connections:
                connection.drop()
        self._idle.clear()
        await asyncio.sleep(0)  # the loop closes sockets in its next round

    def release(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection whose exchange is over, or close it."""
        if self._closed or not connection.reusable:
            connection.drop()
            return
        idle = self._idle.setdefault(origin, [])
        idle.append(connection)
        connection.rest(self._keep_alive)
        if len(idle) > MAX_IDLE:
            idle.pop(0).drop()

    def _kept(self, origin: Origin) -> Connection | None:
        """The connection used last, so that the others can go when there are too many."""
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self, exchange: _Exchange) -> Connection:
        loop = asyncio.get_running_loop()
        origin = exchange.origin
        limit = min(exchange.timeouts.connect, exchange.timeouts.total)
        try:
            async with asyncio.timeout(limit):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop),
                    origin.host,
                    origin.port,
                    ssl=self._tls if origin.secure else None,
                )
        except (OSError, UnicodeError) as error:
            raise unreachable(exchange.provider, error) from error
        return connection

    async def _ask(self, connection: Connection, exchange: _Exchange) -> UpstreamResponse:
        """Send on this connection and wait for the headers."""
        kept = connection.begin(exchange.request)
        try:
            while not connection.headed:
                if connection.end is not None:
                    raise _unanswered(connection, exchange.provider, kept=kept)
                if not await connection.wait(exchange.answer_by):
                    raise timed_out(exchange.provider, seconds=exchange.answer_by - exchange.began)
            exchange.request = b""  # it may be large, and the answer may take long
            refuse_encoding(connection.headers, provider=exchange.provider, status=connection.status)
        except BaseException:
            connection.drop()
            raise
        return LeanResponse(self, connection, exchange)


class _Exchange:
    """A request as bytes, with its times by the event loop's clock."""

    __slots__ = ("answer_by", "began", "deadline", "origin", "provider", "request", "timeouts")

    def __init__(self, request: UpstreamRequest, address: Address, timeouts: Timeouts, *, now: float) -> None:
        self.provider = request.provider
        self.timeouts = timeouts
        self.began = now
        self.answer_by = now + min(timeouts.first_byte, timeouts.total)
        self.deadline = now + timeouts.total
        headers, body = encode(request)
        self.origin = address.origin
        self.request = _head(address.target, headers, host=address.host, length=len(body)) + body


class LeanResponse(UpstreamResponse):
    """An answer on its connection, which goes back to the engine when it ends."""

    __slots__ = ("_closed", "_connection", "_engine", "_exchange", "_loop", "_whole", "headers", "provider", "status")

    def __init__(self, engine: LeanTransport, connection: Connection, exchange: _Exchange) -> None:
        self.provider = exchange.provider
        self.status = connection.status
        self.headers = connection.headers
        self._engine = engine
        self._connection = connection
        self._exchange = exchange
        self._closed = False
        self._whole = False
        self._loop = asyncio.get_running_loop()

    async def piece(self) -> bytes:
        connection, idle, deadline = self._connection, self._exchange.timeouts.idle, self._exchange.deadline
        while not self._closed:  # once it is, the connection may be serving another request
            now = self._loop.time()
            if now >= deadline:
                raise self._too_late(self._exchange.timeouts.total)
            if piece := connection.take():
                return piece
            if connection.end is not None:
                await self.aclose()
                self._check(connection.end)
                self._whole = True
            elif not await connection.wait(min(now + idle, deadline)) and now + idle < deadline:
                raise self._too_late(idle)
        if self._whole:
            return b""
        raise truncated(self.provider, status=self.status)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._engine.release(self._exchange.origin, self._connection)

    def _check(self, end: End) -> None:
        if end is End.LOST:
            raise truncated(self.provider, status=self.status)
        if end is End.GARBAGE:
            raise not_http(self.provider, status=self.status)

    def _too_late(self, seconds: float) -> UpstreamError:
        self._connection.drop()
        return timed_out(self.provider, seconds=seconds, status=self.status)


def _address_of(request: UpstreamRequest) -> Address:
    try:
        url = httptools.parse_url(request.url.encode("ascii"))
    except (UnicodeError, httptools.HttpParserInvalidURLError) as error:
        raise UpstreamUnreachable(
            f"{request.provider} cannot be reached: its URL is none.", provider=request.provider
        ) from error
    secure = url.schema == b"https"
    host = b"[%s]" % url.host if b":" in url.host else url.host
    return Address(
        Origin(url.host.decode(), url.port or (443 if secure else 80), secure),
        target=(url.path or b"/") + (b"?" + url.query if url.query else b""),
        host=host + b":%d" % url.port if url.port else host,
    )


def _head(target: bytes, headers: dict[str, str], *, host: bytes, length: int) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"POST %s HTTP/1.1\r\nhost: %s\r\ncontent-length: %d\r\n%s\r\n" % (target, host, length, lines.encode())


def _unanswered(connection: Connection, provider: str, *, kept: bool) -> Exception:
    """No headers came: either bytes that are not HTTP, or the connection went."""
    if connection.end is End.GARBAGE:
        return not_http(provider)
    if kept and not connection.started:
        return _Stale()
    return unreachable(provider, connection.lost or ConnectionError())
