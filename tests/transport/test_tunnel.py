"""The proxy's side of a tunnel, bytes in and an outcome out."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.proxies import Proxy
from gateway.transport.tunnel import MAX_ANSWER, Tunnel, TunnelRefused, connect_request
from tests.transport.test_http1_connection import Socket

PROXY = Proxy("HTTPS_PROXY", "proxy.example", 3128)


def outcome(answer: bytes, *, cut: int) -> int | str | None:
    """What comes of a proxy's answer in pieces of so many bytes: `open`, a status, or None when it is no HTTP."""
    loop = asyncio.new_event_loop()
    tunnel = Tunnel(loop, PROXY, "api.example", 443)
    tunnel.connection_made(Socket())
    for start in range(0, len(answer), cut):
        tunnel.data_received(answer[start : start + cut])
    tunnel.connection_lost(None)
    error = tunnel.opened.exception()
    loop.close()
    if error is None:
        return "open"
    return error.status if isinstance(error, TunnelRefused) else "lost"


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\n\r\n", "open"),
    (b"HTTP/1.0 200 Connection established\r\nvia: x\r\n\r\n", "open"),
    (b"HTTP/1.1 407 No\r\n\r\n<html>", 407),
    (b"HTTP/2 200\r\n\r\n", None),
    (b"HTTP/1.1 200 OK\r\n", "lost"),
    (b"", "lost"),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
@given(cut=st.integers(1, 60))
def test_proxy_answer_does_not_depend_on_how_it_is_cut(answer: bytes, expected: int | str | None, cut: int) -> None:
    """However a proxy's answer is cut, it means the same."""
    assert outcome(answer, cut=cut) == expected


def test_endless_proxy_answer_is_given_up() -> None:
    """A head that does not end is given up once it is too long."""
    assert outcome(b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_ANSWER, cut=1460) is None


def test_connect_brackets_ipv6_and_sends_credentials() -> None:
    """An IPv6 address is bracketed; the credentials go to the proxy."""
    proxy = Proxy("HTTPS_PROXY", "p", 1, authorization="Basic eA==")
    assert connect_request(proxy, "fd00::1", 443) == (
        b"CONNECT [fd00::1]:443 HTTP/1.1\r\nhost: [fd00::1]:443\r\nproxy-authorization: Basic eA==\r\n\r\n"
    )
