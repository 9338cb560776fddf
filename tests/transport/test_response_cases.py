"""What the built-in client makes of responses that parsers disagree about, beside what h11 makes of them.

The cases follow those of h11's and llhttp's own tests (framing, versions, line ends, folding, transfer codings).
"""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.http1_connection import End
from tests.transport.test_http1_connection import asked

Outcome = tuple[int, bytes] | End  # status and body, or how it failed
H = b"HTTP/1.1 200 OK\r\n"
CHUNKED = H + b"Transfer-Encoding: chunked\r\n\r\n"

CASES: dict[str, bytes] = {
    "content-length": H + b"Content-Length: 5\r\n\r\nhello",
    "no-reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
    "reason-space": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi",
    "reason-utf8": b"HTTP/1.1 200 Gr\xc3\xbc\xc3\x9fe\r\nContent-Length: 2\r\n\r\nhi",
    "http10": b"HTTP/1.0 200 OK\r\n\r\nold",
    "http10-chunked": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "until-close": H + b"\r\nbody",
    "s204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "s204-cl": b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
    "s304": b"HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n",
    "i100": b"HTTP/1.1 100 Continue\r\n\r\n" + H + b"Content-Length: 2\r\n\r\nhi",
    "i101": b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "i101-bare": b"HTTP/1.1 101 S\r\n\r\n" + H + b"Content-Length: 2\r\n\r\nhi",
    "i103": b"HTTP/1.1 103 E\r\nLink: a\r\n\r\n" + H + b"Content-Length: 2\r\n\r\nhi",
    "upgrade-200": H + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
    "upgrade-200-chunked": H
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "chunked": CHUNKED + b"2\r\nhi\r\n0\r\n\r\n",
    "chunk-ext": CHUNKED + b'2;a="b"\r\nhi\r\n0\r\n\r\n',
    "chunk-trailer": CHUNKED + b"2\r\nhi\r\n0\r\nX: y\r\n\r\n",
    "chunk-upper": H + b"Transfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "chunk-zeros": CHUNKED + b"0002\r\nhi\r\n000\r\n\r\n",
    "chunk-lf": CHUNKED + b"2\nhi\n0\n\n",
    "chunk-bad": CHUNKED + b"xx\r\nhi\r\n0\r\n\r\n",
    "chunk-neg": CHUNKED + b"-2\r\nhi\r\n0\r\n\r\n",
    "chunk-space": CHUNKED + b"2 \r\nhi\r\n0\r\n\r\n",
    "chunk-long": CHUNKED + b"2\r\nhixx\r\n0\r\n\r\n",
    "chunk-huge": CHUNKED + b"fffffffffffffffff\r\nhi\r\n0\r\n\r\n",
    "cl-te": H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "te-gzip-chunked": H + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "te-gzip": H + b"Transfer-Encoding: gzip\r\n\r\nhi",
    "te-identity": H + b"Transfer-Encoding: identity\r\n\r\nhi",
    "te-twice": H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "te-chunked-gzip": H + b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "cl-same": H + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    "cl-list": H + b"Content-Length: 2, 2\r\n\r\nhi",
    "cl-differ": H + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
    "cl-neg": H + b"Content-Length: -2\r\n\r\nhi",
    "cl-plus": H + b"Content-Length: +2\r\n\r\nhi",
    "cl-empty": H + b"Content-Length: \r\n\r\nhi",
    "cl-text": H + b"Content-Length: two\r\n\r\nhi",
    "cl-huge": H + b"Content-Length: 99999999999999999999999\r\n\r\nhi",
    "cl-space": H + b"Content-Length: 2 \r\n\r\nhi",
    "fold": H + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    "lf-lines": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "cr-header": H + b"X: a\rb\r\nContent-Length: 2\r\n\r\nhi",
    "nul": H + b"X: a\x00b\r\nContent-Length: 2\r\n\r\nhi",
    "space-colon": H + b"X : a\r\nContent-Length: 2\r\n\r\nhi",
    "no-colon": H + b"X\r\n\r\n",
    "empty-name": H + b": x\r\n\r\n",
    "bytes-value": H + b"X: \xff\xfe\r\nContent-Length: 2\r\n\r\nhi",
    "empty-value": H + b"X:\r\nContent-Length: 2\r\n\r\nhi",
    "space-first": H + b" X: a\r\nContent-Length: 2\r\n\r\nhi",
    "version09": b"HTTP/0.9 200 OK\r\n\r\nhi",
    "version20": b"HTTP/2.0 200 OK\r\n\r\nhi",
    "version3": b"HTTP/1.10 200 OK\r\n\r\nhi",
    "v12": b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "lower": b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "icy": b"ICY 200 OK\r\n\r\nhi",
    "s99": b"HTTP/1.1 99 X\r\n\r\n",
    "s1000": b"HTTP/1.1 2000 X\r\n\r\n",
    "s000": b"HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\nhi",
    "s600": b"HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nhi",
    "crlf-first": b"\r\n" + H + b"Content-Length: 2\r\n\r\nhi",
    "two-spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "request": b"GET / HTTP/1.1\r\n\r\n",
    "tab": b"HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "truncated-cl": H + b"Content-Length: 5\r\n\r\nhi",
    "truncated-chunk": CHUNKED + b"5\r\nhi",
    "truncated-head": H + b"Content-",
    "conn-close": H + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
}

# Where the outcome is another than h11's, and why.
DIFFERENCES: dict[str, tuple[Outcome, str]] = {
    "chunk-lf": (End.PROTOCOL_ERROR, "a bare LF ends no line; h11 waits for the rest of it"),
    "chunk-space": (End.PROTOCOL_ERROR, "nothing may follow a chunk's size but an extension; h11 forgives blanks"),
    "chunk-huge": (End.PROTOCOL_ERROR, "a size beyond 64 bits is refused at once; h11 waits for so many bytes"),
    "cl-te": (
        End.PROTOCOL_ERROR,
        "two framings at once are the sign of an attack (RFC 9112, 6.3); h11 takes the chunks",
    ),
    "cl-same": (
        End.PROTOCOL_ERROR,
        "a length told twice may be refused (RFC 9110, 8.6); h11 takes it where both are equal",
    ),
    "cl-list": (End.PROTOCOL_ERROR, "the same in one line"),
    "fold": (End.PROTOCOL_ERROR, "folded lines may be refused (RFC 9112, 5.2); h11 unfolds them"),
    "lf-lines": (End.PROTOCOL_ERROR, "a bare LF ends no line; h11 takes it for CR LF"),
    "v12": (End.PROTOCOL_ERROR, "only the versions that exist are known; h11 takes every 1.x"),
    "s600": (End.PROTOCOL_ERROR, "statuses end with 599 (RFC 9110, 15); h11 takes any three digits"),
    "crlf-first": ((200, b"hi"), "an empty line before the status line is skipped, as llhttp does; h11 refuses it"),
}


def received(*pieces: bytes) -> Outcome:
    """What these pieces and then the connection's end amount to."""
    world, body = asked(), b""
    for piece in pieces:
        world.connection.data_received(piece)
        body += world.connection.read_buffered()
    world.connection.connection_lost(None)
    end = world.connection.end
    assert end is not None
    return (world.connection.status, body) if end is End.COMPLETE else end


def by_h11(wire: bytes) -> Outcome:
    """The same by h11."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(wire)
    status, body, ended = 0, b"", False
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            return End.LOST if ended else End.PROTOCOL_ERROR
        if event is h11.PAUSED:  # switched to another protocol
            return End.PROTOCOL_ERROR
        if event is h11.NEED_DATA:
            parser.receive_data(b"")
            ended = True
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, body
        elif isinstance(event, h11.ConnectionClosed):
            return End.LOST


@pytest.mark.parametrize("name", CASES)
def test_response_cases_are_read_as_h11_reads_them(name: str) -> None:
    """A response means what it means to h11, but for the differences that are listed with their reasons."""
    expected = by_h11(CASES[name])
    if name in DIFFERENCES:
        assert DIFFERENCES[name][0] != expected
        expected = DIFFERENCES[name][0]
    assert received(CASES[name]) == expected


@given(st.sampled_from(sorted(CASES)), st.lists(st.integers(0, 150), max_size=6))
def test_response_does_not_depend_on_how_it_is_cut(name: str, cuts: list[int]) -> None:
    """However a response is cut, it means the same."""
    wire = CASES[name]
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    assert received(*(wire[a:b] for a, b in pairwise(edges) if a < b)) == received(wire)
