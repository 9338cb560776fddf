"""Heads that are refused, beyond what the parser refuses."""

from __future__ import annotations

import pytest

from gateway.errors import GatewayError
from gateway.server.request_head import check_head, without_upgrade
from tests.server.connections import GET, HEAD, Open
from tests.server.test_connection import open_

__all__ = ["open_"]


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, "http_version_not_supported"),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "http_version_not_supported"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http_version_not_supported"),
        (b"GET / HTTP/2\r\n\r\n", 505, "http_version_not_supported"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version_not_supported"),
        (b"GET /\r\n\r\n", 505, "http_version_not_supported"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "not_implemented"),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "not_implemented"),
        (HEAD + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, "not_implemented"),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", 400, "bad_http"),
        (b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, "bad_host"),
        (b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400, "bad_host"),
        (HEAD + b"Origin: http://evil.example\r\nOrigin: http://localhost\r\n\r\n", 400, "repeated_header"),
        (HEAD + b"Content-Encoding: gzip\r\ncontent-encoding: identity\r\n\r\n", 400, "repeated_header"),
        (HEAD + b"Content-Type: text/plain\r\nContent-Type: text/plain\r\n\r\n", 400, "repeated_header"),
        (HEAD + b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: none\r\n\r\n", 400, "repeated_header"),
    ],
)
async def test_bad_version_coding_port_or_repeated_header_is_refused(
    open_: Open, raw: bytes, status: int, code: str
) -> None:
    """Other versions, tunnels, codings, ports that are none and headers that must not be repeated are refused; the connection ends."""
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        connection = open_()
        await connection.feed(*pieces)
        assert connection.statuses == [status]
        assert connection.error["code"] == code
        assert connection.requests == []


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length:\t3\t\r\n",
        b"Content-Length: 3 \r\n",
        b"X: 1\r\nX: 2\r\nCookie: a\r\nCookie: b\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nConnection: close \t\r\n",
    ],
    ids=["tabs", "spaces", "repeated headers", "white space"],
)
async def test_white_space_and_repeatable_headers_are_accepted(open_: Open, lines: bytes) -> None:
    """White space around values means nothing, and headers that may be repeated are."""
    connection = open_()
    connection.answering.set()
    await connection.feed(HEAD + lines + b"\r\nabc")
    assert (connection.statuses, connection.requests) == ([200], [b"abc"])


async def test_port_has_16_bits(open_: Open) -> None:
    """A port is a number of 16 bits."""
    connection = open_()
    connection.answering.set()
    await connection.feed(GET.replace(b"Host: a", b"Host: a:65535"))
    assert connection.statuses == [200]


def test_http_1_1_needs_exactly_one_host() -> None:
    """HTTP/1.0 needs no Host, HTTP/1.1 exactly one."""
    check_head([], {}, method=b"GET", version="1.0")
    for headers in ([], [(b"host", b"a"), (b"host", b"a")]):
        with pytest.raises(GatewayError, match="exactly one Host"):
            check_head(headers, dict(headers), method=b"GET", version="1.1")


def test_without_upgrade_removes_only_the_upgrade() -> None:
    """The head stays as it is but for the wish for another protocol."""
    headers = [(b"host", b"a"), (b"upgrade", b"h2c"), (b"x", b""), (b"upgrade", b"ws")]
    head = without_upgrade(headers, method=b"POST", url=b"/a?b", version="1.0")
    assert head == b"POST /a?b HTTP/1.0\r\nhost: a\r\nx: \r\n\r\n"
