"""The event decoder, whole and cut anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sse import EventTooLarge, ServerSentEvent, SSEDecoder

WIRE = (
    b"\xef\xbb\xbf: OPENROUTER PROCESSING\n\nevent: ping\r\ndata: {}\r\n\r\nid: 7\nretry: 5\ndata:no space\ndata: two\n\n"
    b"data: \xe2\x80\xa8 \xc2\x85 \x0b \x0c kept\r\rdata: last"
)
EVENTS = [
    ServerSentEvent(b"{}", "ping"),
    ServerSentEvent(b"no space\ntwo"),
    ServerSentEvent(b"\xe2\x80\xa8 \xc2\x85 \x0b \x0c kept"),
    ServerSentEvent(b"last"),
]


def decoded(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + list(decoder.close())


def test_whole() -> None:
    """Lines end at LF, CR LF and CR only; comments, ids and retry times are passed over."""
    assert decoded(WIRE) == EVENTS


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_any_cut(cuts: list[int]) -> None:
    """However the network cuts the bytes, the events are the same."""
    edges = [0, *sorted(cuts), len(WIRE)]
    assert decoded(*(WIRE[a:b] for a, b in pairwise(edges))) == EVENTS


def test_line_end_variants() -> None:
    """CR LF cut between CR and LF is one line end, not two."""
    assert decoded(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [ServerSentEvent(b"a\nb")]


@given(st.binary())
def test_any_bytes(noise: bytes) -> None:
    """No bytes make the decoder fail, and one byte at a time gives what the whole gives."""
    assert decoded(*(noise[i : i + 1] for i in range(len(noise)))) == decoded(noise)


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 99, b"data: 12345678901\n"], ids=["open line", "whole line"])
def test_too_large(piece: bytes) -> None:
    """An event above the limit is refused instead of held in memory."""
    decoder = SSEDecoder(max_event_bytes=10)
    with pytest.raises(EventTooLarge):
        list(decoder.feed(piece))


@pytest.mark.parametrize(
    ("piece", "between"),
    [
        (b"data: 1\n\n", True),
        (b"", True),
        (b"data: 1\n", False),
        (b"event: x\n", False),
        (b"da", False),
        (b"\r", False),
    ],
)
def test_between_events(piece: bytes, between: bool) -> None:
    """Whether an event has begun is known however little of it came."""
    decoder = SSEDecoder()
    list(decoder.feed(piece))
    assert decoder.between is between
