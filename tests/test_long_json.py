"""Read and written piece by piece, JSON is what it is in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import long_json
from gateway.long_json import dumps, loads


@pytest.fixture(scope="module", autouse=True)
def small_pieces() -> Iterator[None]:
    """Everything counts as long, so that examples can be short."""
    kept = long_json.LARGE, long_json.PIECE, long_json.WINDOW
    long_json.LARGE, long_json.PIECE, long_json.WINDOW = 0, 12, 5
    yield
    long_json.LARGE, long_json.PIECE, long_json.WINDOW = kept


TEXTS = st.text(st.sampled_from('ab"\\/\n\u00e9\u6f22\U0001f600u,:[{'), max_size=80)
ESCAPED = st.lists(
    st.sampled_from(
        ["a", "\\n", "\\\\", '\\"', "\\u00e9", "\\u6f22", "\\ud83d\\ude00", "\\uD83D\\uDE00", "é", "漢", "😀", "u"]
    ),
    max_size=60,
).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_is_written_and_read_as_by_orjson(value: Any) -> None:
    """Every value is written and read as by the library itself."""
    assert dumps(value) == orjson.dumps(value)
    assert loads(orjson.dumps(value)) == value


@given(st.lists(ESCAPED, min_size=1, max_size=4))
def test_text_is_never_cut_inside_an_escape(texts: list[str]) -> None:
    """Wherever a text is cut, no escape, no pair of them and no character is."""
    raw = ("[" + ",".join(f'{{"k": "{text}"}}' for text in texts) + "]").encode()
    assert loads(raw) == orjson.loads(raw)


@given(st.binary(max_size=60), st.integers(0, 200))
def test_invalid_json_is_refused_around_long_strings(bytes_: bytes, at: int) -> None:
    """What is no JSON is refused, whatever stands within or behind a long string."""
    raw = b'["' + b"x" * 100 + b'", "' + b"y" * 100 + b'"]'
    raw = raw[:at] + bytes_ + raw[at:]
    try:
        expected = orjson.loads(raw)
    except orjson.JSONDecodeError:
        with pytest.raises(orjson.JSONDecodeError):
            loads(raw)
    else:
        assert loads(raw) == expected


def test_equal_names_and_long_names() -> None:
    """The last of equal names counts, and a name may be long as well."""
    long = "x" * 200
    assert loads(f'{{"a": "{long}", "a": "{long}y"}}'.encode()) == {"a": f"{long}y"}
    assert loads(orjson.dumps({long: long})) == {long: long}
    assert dumps((long, [long])) == orjson.dumps((long, [long]))


def test_no_call_reads_more_than_a_piece() -> None:
    """A long string is cut into pieces of about the size that one call may take."""
    raw = orjson.dumps(["a" * 1000, "é" * 500])
    pieces = [piece for cut in long_json._cuts(raw) for piece in cut.pieces]
    assert max(end - start for start, end in pieces) <= 2 * long_json.PIECE
    assert sum(end - start for start, end in pieces) > 1900
