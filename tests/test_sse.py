"""The event decoder, whole and cut anywhere."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, SupportsIndex

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


def test_lines_end_at_lf_crlf_and_cr_only() -> None:
    """Lines end at LF, CR LF and CR only; comments, ids and retry times are passed over."""
    assert decoded(WIRE) == EVENTS


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_events_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int]) -> None:
    """However the network cuts the bytes, the events are the same."""
    edges = [0, *sorted(cuts), len(WIRE)]
    assert decoded(*(WIRE[a:b] for a, b in pairwise(edges))) == EVENTS


def test_line_end_variants() -> None:
    """CR LF cut between CR and LF is one line end, not two."""
    assert decoded(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [ServerSentEvent(b"a\nb")]


@given(st.binary())
def test_any_bytes_are_decoded_the_same_byte_by_byte(noise: bytes) -> None:
    """No bytes make the decoder fail, and one byte at a time gives what the whole gives."""
    assert decoded(*(noise[i : i + 1] for i in range(len(noise)))) == decoded(noise)


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 99, b"data: 12345678901\n"], ids=["open line", "whole line"])
def test_event_above_the_limit_is_refused(piece: bytes) -> None:
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
def test_decoder_knows_whether_an_event_has_begun(piece: bytes, between: bool) -> None:
    """Whether an event has begun is known however little of it came."""
    decoder = SSEDecoder()
    list(decoder.feed(piece))
    assert decoder.between is between


@pytest.mark.parametrize("event", [b"data:{}\n\n", b"event:ping\ndata:{}\n\n", b"data: {}\n\n: done\n\n:\n\n"])
def test_space_after_the_colon_is_optional(event: bytes) -> None:
    """A value may follow its colon at once; comments between events are skipped."""
    assert [found.data for found in decoded(event * 2)] == [b"{}", b"{}"]


def test_cr_completes_an_event() -> None:
    """An event that ends with CR is passed on at once, not when the next piece shows whether a LF follows."""
    decoder = SSEDecoder()
    assert list(decoder.feed(b"data: a\r\r")) == [ServerSentEvent(b"a")]
    assert not decoder.between
    assert list(decoder.feed(b"\ndata: b\n\n")) == [ServerSentEvent(b"b")]


def test_limit_within_an_unfinished_line() -> None:
    """The limit holds as soon as it is passed, in the middle of a line of which no end came."""
    decoder = SSEDecoder(max_event_bytes=1000)
    assert [event for _ in range(10) for event in decoder.feed(b"x" * 100)] == []
    with pytest.raises(EventTooLarge):
        list(decoder.feed(b"x"))


def test_empty_lines_of_data_count() -> None:
    """An event of nothing but empty `data` lines is limited, too."""
    decoder = SSEDecoder(max_event_bytes=1000)
    with pytest.raises(EventTooLarge):
        list(decoder.feed(b"data\n" * 1100))


class Counted(bytes):
    """Bytes that count how many of them are inspected or copied, in `work`; what is made of them counts, too."""

    work = 0

    def _did(self, amount: int, made: bytes) -> Counted:
        Counted.work += amount
        return Counted(made)

    def __add__(self, other: Any) -> Counted:
        return self._did(len(self) + len(other), bytes(self) + other)

    def __radd__(self, other: bytes) -> Counted:
        return self._did(len(self) + len(other), other + bytes(self))

    def __contains__(self, part: Any) -> bool:
        Counted.work += len(self)
        return bytes(self).__contains__(part)

    def __getitem__(self, key: Any) -> Any:
        made = bytes(self)[key]
        return made if isinstance(made, int) else self._did(len(made), made)

    def find(self, part: Any, start: SupportsIndex | None = 0, end: SupportsIndex | None = None) -> int:
        found = bytes(self).find(part, start, end)
        Counted.work += (len(self) if found < 0 else found) - int(start or 0)
        return found

    def replace(self, old: Any, new: Any, count: SupportsIndex = -1) -> Counted:
        return self._did(len(self), bytes(self).replace(old, new, count))

    def removeprefix(self, prefix: Any) -> Counted:
        return self._did(len(self), bytes(self).removeprefix(prefix))

    def split(self, sep: Any = None, maxsplit: SupportsIndex = -1) -> Any:
        Counted.work += len(self)
        return [Counted(part) for part in bytes(self).split(sep, maxsplit)]


@given(
    st.lists(st.sampled_from([b"data: ", b"x" * 500, b"\n", b"\r\n", b"\r", b": comment", b"event: a"]), max_size=60),
    st.integers(1, 700),
)
def test_work_is_linear(parts: list[bytes], cut: int) -> None:
    """However a stream is cut, each of its bytes is inspected or copied only a few times; an unfinished line is not searched again."""
    wire = b"".join(parts) + b"\n\n\ndata: " + b"y" * 4_000 + b"\n\n"
    Counted.work = 0
    decoder = SSEDecoder()
    events = [event for at in range(0, len(wire), cut) for event in decoder.feed(Counted(wire[at : at + cut]))]
    assert events[-1].data.endswith(b"y" * 4_000)
    assert Counted.work <= 10 * len(wire)
