"""Requests put together at random: the gateway reads no request that h11 does not read, and none differently."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.against_h11 import Read, by_gateway, by_h11, echoing

LINES = (
    b"GET / HTTP/1.1",
    b"POST /a?b HTTP/1.1",
    b"POST / HTTP/1.0",
    b"CONNECT a:1 HTTP/1.1",
    b"PUT / HTTP/2",
    b"GET /",
)
HEADERS = (
    *(b"Host: a", b"Host: a", b"Host: a", b"Host:", b"Host : a", b"X: y", b"X:", b"X: \xff", b" folded", b"no colon"),
    *(
        b"Content-Length: 3",
        b"content-length:\t3 ",
        b"Content-Length: 0",
        b"Content-Length: 3,3",
        b"Content-Length: -3",
    ),
    *(b"Transfer-Encoding: chunked", b"transfer-encoding:chunked", b"Transfer-Encoding: gzip, chunked"),
    *(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: \x0bchunked"),
    *(b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade", b"Connection: upgrade, close"),
    *(b"Upgrade: h2c", b"Upgrade: websocket", b"Expect: 100-continue", b"Trailer: X"),
)
BODIES = (
    *(
        b"",
        b"",
        b"abc",
        b"abcd",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n",
        b"0;x=y\r\n\r\n",
        b"3\r\nabcd",
    ),
    *(
        b"3\nabc\n0\n\n",
        b"-001\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"3\r\nab",
        b"\x00",
    ),
)
HEADS = st.builds(
    lambda line, headers, end: b"\r\n".join((line, *headers, b"")) + end,
    st.sampled_from(LINES),
    st.lists(st.sampled_from(HEADERS), max_size=5),
    st.sampled_from((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r")),
)
ORDINARY = st.builds(
    lambda framing, more: (
        b"POST / HTTP/1.1\r\nHost: a\r\n" + b"".join(line + b"\r\n" for line in (framing, *more)) + b"\r\n"
    ),
    st.sampled_from((b"Content-Length: 3", b"Transfer-Encoding: chunked", b"X: y")),
    st.lists(st.sampled_from((b"Connection: Upgrade", b"Upgrade: h2c", b"Expect: 100-continue")), unique=True),
)
MESSAGES = st.lists(st.tuples(st.one_of(HEADS, ORDINARY, ORDINARY), st.sampled_from(BODIES)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with echoing() as port:
        yield port


def requests(read: Read) -> Read:
    """Those before a refusal."""
    return [each for each in read if not isinstance(each, int)]


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(messages=MESSAGES, cut=st.integers(min_value=0, max_value=200))
def test_fuzzed_requests_are_read_as_h11_reads_them(port: int, messages: list[tuple[bytes, bytes]], cut: int) -> None:
    """What is read is what h11 reads; what h11 reads and the gateway does not was refused, and ended the connection."""
    raw = b"".join(head + body for head, body in messages)
    ours, theirs = by_gateway(port, raw[:cut], raw[cut:]), by_h11(raw)
    read = requests(ours)
    assert read == requests(theirs)[: len(read)]
    assert ours[:-1] == read[: len(ours) - 1]  # a refusal is the last
    if len(read) < len(requests(theirs)):
        assert isinstance(ours[-1], int)
