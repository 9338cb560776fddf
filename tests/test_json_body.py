"""Which bytes are a JSON object."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.json_body import parse_object


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "body is empty"),
        (b" \n", "body is empty"),
        (b'{"a":', "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":Infinity}', "not valid JSON"),
        (b'{"a":1e999}', "not valid JSON"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b'{"a":"\x00"}', "not valid JSON"),
        (b'{"a":1} {"b":2}', "not valid JSON"),
        (b'\xef\xbb\xbf{"a":1}', "byte order mark"),
        (b'{"a":"\xff"}', "not valid UTF-8 (at byte 6)"),
        (b'{"a":"\xed\xa0\x80"}', "not valid UTF-8"),
        (b"[1]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "nested too deeply"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "nested too deeply"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_body_that_is_no_strict_object_is_refused(raw: bytes, words: str) -> None:
    """What is not a strict, shallow JSON object in UTF-8 is refused with the reason."""
    with pytest.raises(InvalidRequest) as refused:
        parse_object(raw)
    assert words in refused.value.message


@pytest.mark.parametrize("raw", [b'{"a":' + b"[" * 63 + b"]" * 63 + b"}", b'{"a":[' + b"{}," * 99 + b"{}]}"])
def test_sixty_four_levels_are_accepted(raw: bytes) -> None:
    """64 levels are accepted, and many brackets are not depth."""
    assert "a" in parse_object(raw)


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b'{"user":"a\\u0000"}', "user"),
        (b'{"stop":["a","\\u0000"]}', "stop[1]"),
        (b'{"messages":[{"content":"x"},{"content":[{"text":"\\u0000"}]}]}', "messages[1].content[0].text"),
        (b'{"a":{"b\\u0000":1}}', "a"),
        (b'{"\\u0000":1}', None),
    ],
)
def test_nul_character_is_refused_with_its_place(raw: bytes, param: str | None) -> None:
    """A NUL character is refused wherever it stands, and the place is named."""
    with pytest.raises(InvalidRequest) as refused:
        parse_object(raw)
    assert refused.value.param == param
    assert "NUL" in refused.value.message


def test_escaped_spelling_of_nul_is_accepted() -> None:
    """The six characters that spell a NUL are not one."""
    assert parse_object(b'{"a":["\\\\u0000", 1]}') == {"a": ["\\u0000", 1]}


def test_last_of_equal_names() -> None:
    """Of members with the same name the last counts, here and for whoever we send it to."""
    assert parse_object(b'{"a":1,"a":2}') == {"a": 2}


@given(st.binary())
def test_any_bytes_give_an_object_or_invalid_request(raw: bytes) -> None:
    """Whatever the bytes, the answer is an object or InvalidRequest."""
    with suppress(InvalidRequest):
        assert isinstance(parse_object(raw), dict)
