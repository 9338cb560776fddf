"""The HTTP client on httpx2: a second implementation to compare with, and the place where tests plug in mock transports.

One difference from the built-in client: it takes bytes that follow a complete response as the start of the connection's
next response.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from gateway.completion import UpstreamRequest
from gateway.errors import UpstreamError
from gateway.transport.base import Timeouts, UpstreamResponse, encode_body, encode_headers, refuse_encoding, tls_context
from gateway.transport.errors import disconnected, not_http, timed_out, truncated, unreachable
from gateway.transport.proxies import Proxies, Proxy

# Errors after a connection was open; httpcore2 never sends a request twice.
AFTER_CONNECT_ERRORS = (httpx2.ReadError, httpx2.WriteError, httpx2.CloseError, httpx2.RemoteProtocolError)


class HttpxTransport:
    """One httpx2 client per process. `transport` replaces the network."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        proxies: Proxies | None = None,
        keep_alive: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        tls = tls if tls is not None else tls_context()
        # The gateway limits concurrent requests at admission, so the pool never makes a request wait.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=keep_alive)
        if transport is None and proxies is not None and proxies.by_scheme:
            transport = ProxyRouter(proxies, tls=tls, limits=limits)
        self._client = httpx2.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            limits=limits,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            transport=transport,
        )

    async def send(self, request: UpstreamRequest, *, timeouts: Timeouts) -> UpstreamResponse:
        now = asyncio.get_running_loop().time()
        limit = min(timeouts.first_byte, timeouts.total)
        trace = ConnectionTrace()
        try:
            async with asyncio.timeout_at(now + limit):
                response = await self._client.send(
                    self._client.build_request(
                        "POST",
                        request.url,
                        headers=encode_headers(request),
                        content=encode_body(request),
                        timeout=httpx2.Timeout(None, connect=timeouts.connect),
                        extensions={"trace": trace},
                    ),
                    stream=True,
                )
        except TimeoutError as error:
            raise timed_out(request.provider, seconds=limit) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _no_response_error(request.provider, error, reused=trace.reused) from error
        opened = HttpxResponse(response, provider=request.provider, timeouts=timeouts, deadline=now + timeouts.total)
        try:
            if not 200 <= opened.status <= 599:
                raise not_http(request.provider)
            refuse_encoding(opened.headers, provider=request.provider, status=opened.status)
        except UpstreamError:
            await opened.aclose()
            raise
        return opened

    async def aclose(self) -> None:
        await self._client.aclose()


class ProxyRouter(httpx2.AsyncBaseTransport):
    """Sends each request directly or through the proxy configured for its URL."""

    def __init__(self, proxies: Proxies, *, tls: ssl.SSLContext, limits: httpx2.Limits) -> None:
        self._proxies = proxies
        self._routes: dict[Proxy | None, httpx2.AsyncHTTPTransport] = {
            proxy: httpx2.AsyncHTTPTransport(
                verify=tls, limits=limits, trust_env=False, proxy=None if proxy is None else _proxy_of(proxy, tls)
            )
            for proxy in (None, *proxies.by_scheme.values())
            if proxy is None or proxy.problem is None
        }

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        route = self._routes.get(self._proxies.of(str(request.url)))
        if route is None:
            raise httpx2.ProxyError("the proxy cannot be used", request=request)
        return await route.handle_async_request(request)

    async def aclose(self) -> None:
        for route in self._routes.values():
            await route.aclose()


def _proxy_of(proxy: Proxy, tls: ssl.SSLContext) -> httpx2.Proxy:
    headers = {} if proxy.authorization is None else {"proxy-authorization": proxy.authorization}
    return httpx2.Proxy(proxy.url, headers=headers, ssl_context=tls if proxy.secure else None)


class HttpxResponse(UpstreamResponse):
    """An open httpx2 response; `deadline` is on the event loop's clock."""

    def __init__(self, response: httpx2.Response, *, provider: str, timeouts: Timeouts, deadline: float) -> None:
        self.provider = provider
        self.status = response.status_code
        self._response = response
        # aiter_raw cannot read the ready body of a mock; compression is refused, so there is nothing to decode.
        self._body = response.aiter_bytes()
        self._timeouts = timeouts
        self._deadline = deadline

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read_chunk(self) -> bytes:
        idle_deadline = asyncio.get_running_loop().time() + self._timeouts.idle
        try:
            async with asyncio.timeout_at(min(idle_deadline, self._deadline)):
                return await anext(self._body, b"")
        except TimeoutError as error:
            seconds = self._timeouts.idle if idle_deadline < self._deadline else self._timeouts.total
            raise timed_out(self.provider, seconds=seconds, status=self.status) from error
        except httpx2.HTTPError as error:
            raise self._read_error(error) from error

    async def aclose(self) -> None:
        # Without this, garbage collection would close a half-read generator outside of any event loop.
        await self._body.aclose()
        await self._response.aclose()

    def _read_error(self, error: httpx2.HTTPError) -> UpstreamError:
        if isinstance(error, httpx2.RemoteProtocolError) and "peer closed connection" not in str(error):
            return not_http(self.provider, status=self.status)
        return truncated(self.provider, status=self.status)


class ConnectionTrace:
    """Trace hook of httpcore2. `reused`: the request was sent on a connection that had served one before."""

    def __init__(self) -> None:
        self._connected = False
        self.reused = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self._connected = True
        elif event == "http11.send_request_headers.started":
            self.reused = not self._connected


def _no_response_error(provider: str, error: Exception, *, reused: bool) -> UpstreamError:
    """The error where no headers arrived: bytes that are not HTTP, or nothing. Only the message distinguishes them."""
    if isinstance(error, httpx2.RemoteProtocolError) and "disconnected without" not in str(error):
        return not_http(provider)
    if isinstance(error, AFTER_CONNECT_ERRORS):
        return disconnected(provider, error, reused=reused)
    return unreachable(provider, error)
