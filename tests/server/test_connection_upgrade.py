"""Requests that ask for another protocol: they are answered in HTTP/1.1, with their body, and exactly once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.connections import GET, HEAD, Open, Opened, OpenedToAsgi
from tests.server.test_connection import open_
from tests.server.test_connection_cuts import outcome

__all__ = ["open_"]

UPGRADE = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n"


def with_length(body: bytes, *, head: bytes = UPGRADE) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(body: bytes, *, head: bytes = UPGRADE) -> bytes:
    half = len(body) // 2
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


@pytest.mark.parametrize("framed", [with_length, chunked])
@pytest.mark.parametrize("head", [UPGRADE, HEAD + H2C], ids=["websocket", "h2c"])
@pytest.mark.parametrize(
    ("size", "segment"),
    [(60, 10**9), (60, 1), (300_000, 10**9), (300_000, 1_460), (1_000_000, 65_536)],
    ids=["one segment", "byte by byte", "large at once", "large in segments", "as large as may be"],
)
async def test_upgrade_request_keeps_its_body(
    open_: Open, framed: Callable[..., bytes], head: bytes, size: int, segment: int
) -> None:
    """A body that looks like requests is a body: one answer, in any segments, up to the limit; the connection goes on."""
    body = (GET * (size // len(GET) + 1))[:size]
    raw = framed(body, head=head)
    connection = open_()
    connection.answering.set()
    await connection.feed(*[raw[at : at + segment] for at in range(0, len(raw), segment)])
    assert connection.statuses == [200]
    assert connection.requests == [body]
    await connection.feed(GET)
    assert connection.statuses == [200, 200]


async def test_the_request_keeps_its_other_headers(open_: Open) -> None:
    """Only the wish for another protocol is gone from the request's headers."""
    connection = open_()
    connection.answering.set()
    await connection.feed(with_length(b"{}", head=UPGRADE + b"X-One: a b \r\nx-two:\r\n"))
    assert connection.headers == {b"host", b"connection", b"x-one", b"x-two", b"content-length"}


async def test_pipelined_upgrades_are_answered_in_order(open_: Open) -> None:
    """Several of them in one segment are answered in order, each with its own body."""
    connection = open_()
    connection.answering.set()
    await connection.feed(with_length(b"one") + chunked(b"two") + UPGRADE + b"\r\n" + GET + with_length(b"three"))
    await connection.turns(20)
    assert connection.requests == [b"one", b"two", b"", b"", b"three"]
    assert connection.statuses == [200] * 5


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Host: b\r\n\r\n",
    ],
    ids=["length and chunks", "two lengths", "no chunk size", "two hosts"],
)
async def test_upgrade_request_keeps_every_other_rule(open_: Open, rest: bytes) -> None:
    """A request is refused for the same reasons as without an upgrade."""
    connection = open_()
    await connection.feed(UPGRADE + rest)
    assert connection.statuses == [400]
    assert connection.wire.end == "eof"


async def test_connect_is_refused_and_what_follows_is_not_read(open_: Open) -> None:
    """CONNECT is refused, also behind other requests, and what follows is never read as a request."""
    connection = open_()
    connection.answering.set()
    await connection.feed(GET + b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + GET, GET)
    await connection.turns(10)
    assert connection.statuses == [200, 501]
    assert connection.wire.end == "eof"


async def test_upgrade_in_trailers_is_ignored(open_: Open) -> None:
    """Trailers ask for nothing."""
    connection = open_()
    connection.answering.set()
    trailers = b"0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    await connection.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + trailers + GET)
    await connection.turns(10)
    assert connection.statuses == [200, 200]


REQUESTS = (with_length(GET), chunked(GET + GET), UPGRADE + b"\r\n", with_length(b"{}", head=HEAD + H2C), GET)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([Opened, OpenedToAsgi]),
    sent=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4),
    cuts=st.sets(st.integers(min_value=1, max_value=900)),
)
def test_upgrade_requests_get_one_answer_however_cut(kind: Open, sent: list[bytes], cuts: set[int]) -> None:
    """However the network cuts them, there is one answer to each request."""
    raw = b"".join(sent)
    marks = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    requests, statuses, _ = outcome(kind, [raw[a:b] for a, b in pairwise(marks)])
    assert statuses == [200] * len(sent)
    assert requests == outcome(kind, sent)[0]
