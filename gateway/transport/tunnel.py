"""A tunnel through an HTTP proxy (CONNECT). TLS to the upstream runs end to end inside it."""

from __future__ import annotations

import asyncio
import re

from gateway.transport.proxies import Proxy

MAX_ANSWER = 64 * 1024  # bytes of the proxy's response
PROXY_AUTHENTICATION_REQUIRED = 407
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


class TunnelRefused(ConnectionError):
    """The proxy responded without opening a tunnel. `status` is None where the response was not HTTP."""

    def __init__(self, status: int | None) -> None:
        super().__init__("the proxy opened no tunnel")
        self.status = status


class Tunnel(asyncio.Protocol):
    """Asks the proxy for a connection to `host`. The future `opened` is done when there is one, or has the error."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: Proxy, host: str, port: int) -> None:
        self.opened: asyncio.Future[None] = loop.create_future()
        self._request = connect_request(proxy, host, port)
        self._answer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # create_connection gives a Transport; uvloop's is no subclass
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        searched = max(0, len(self._answer) - 3)
        self._answer += data
        end = self._answer.find(b"\r\n\r\n", searched)
        if end < 0 and len(self._answer) <= MAX_ANSWER:
            return
        status = _STATUS.match(self._answer)
        # The upstream sends nothing before the TLS handshake, so bytes after the headers are not from the tunnel.
        nothing_follows = end == len(self._answer) - 4
        if status is not None and end >= 0 and (status[1][:1] != b"2" or nothing_follows):
            self._end(None if status[1][:1] == b"2" else TunnelRefused(int(status[1])))
        else:
            self._end(TunnelRefused(None))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc if exc is not None else ConnectionResetError("closed by the proxy"))

    def _end(self, error: Exception | None) -> None:
        if self.opened.done():
            return
        if error is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(error)


def connect_request(proxy: Proxy, host: str, port: int) -> bytes:
    """The CONNECT request for this upstream."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"proxy-authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "", ""]).encode()
