"""Connections: the bytes cut anywhere, and bytes of all kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.connections import CHUNKED, GET, HEAD, Open, Opened, OpenedToAsgi

REQUESTS = (
    GET,
    HEAD + b"Content-Length: 5\r\n\r\nabcde",
    CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-late: 1\r\n\r\n",
    b"\r\n" + GET,
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
)
REFUSED = (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", b"GET / HTTP/2\r\n\r\n", CHUNKED + b"zz\r\n")


def outcome(kind: Open, pieces: Sequence[bytes]) -> tuple[list[bytes], list[int], str | None]:
    """What came of bytes that arrive in such pieces: the requests, the statuses and the connection's end."""

    async def feed() -> tuple[list[bytes], list[int], str | None]:
        connection = kind()
        connection.answering.set()
        for piece in pieces:
            if not connection.wire.is_closing():
                await connection.feed(piece)
        return connection.requests, connection.statuses, connection.wire.end

    return asyncio.run(feed())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([Opened, OpenedToAsgi]),
    sent=st.one_of(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4), st.tuples(st.sampled_from(REFUSED))),
    cuts=st.sets(st.integers(min_value=1, max_value=400)),
)
def test_requests_do_not_depend_on_how_the_bytes_are_cut(kind: Open, sent: Sequence[bytes], cuts: set[int]) -> None:
    """However the network cuts the bytes, the same requests are served and the same statuses answered."""
    raw = b"".join(sent)
    marks = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    one_by_one = outcome(kind, sent)
    assert outcome(kind, [raw[a:b] for a, b in pairwise(marks)]) == one_by_one


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([Opened, OpenedToAsgi]),
    raw=st.lists(st.one_of(st.sampled_from(REQUESTS + REFUSED), st.binary(max_size=12)), max_size=6),
)
def test_any_bytes_get_a_status_or_end_the_connection(kind: Open, raw: list[bytes]) -> None:
    """Whatever arrives, every answer has a status and what cannot be read ends the connection."""
    _, statuses, end = outcome(kind, raw)
    assert set(statuses) <= {200, 400, 505}
    assert end is not None or not {400, 505} & set(statuses)
