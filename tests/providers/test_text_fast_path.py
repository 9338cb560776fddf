"""Events that differ in their text alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.text_fast_path import TextDeltaFastPath
from gateway.sse import ServerSentEvent

HEAD = {"id": "1", "note": 'say "hi', "choices": [{"index": 0}]}


def find_text(body: Mapping[str, Any]) -> object:
    return body["delta"]["text"] if "delta" in body else None


def event(text: object, **further: object) -> bytes:
    return orjson.dumps({**HEAD, "delta": {"text": text}, "after": None, **further})


def fast_path_from(data: bytes, text: str) -> TextDeltaFastPath:
    fast_path = TextDeltaFastPath(find_text)
    fast_path.learn(ServerSentEvent(data), text)
    return fast_path


@given(st.text(), st.text())
def test_learned_event_with_any_text_is_read_as_the_parser_reads_it(first: str, second: str) -> None:
    """Once an event is known, any other text in its place is read as the parser reads it."""
    read = fast_path_from(event(first), first).match_data(event(second))
    assert read == second or (read is None and first == "probe")


@given(st.text(alphabet='"\\,:{}hi u0041') | st.text(), st.binary(max_size=30))
def test_fast_path_never_reads_an_event_wrongly(first: str, noise: bytes) -> None:
    """Whatever bytes stand in the text's place: either the whole event parses to that text, or it is not known."""
    sample = event(first)
    read = fast_path_from(sample, first).match_data(sample.replace(orjson.dumps(first) + b"}", noise + b"}"))
    if read is not None:
        body = orjson.loads(sample.replace(orjson.dumps(first) + b"}", noise + b"}"))
        assert body == orjson.loads(event(read))


@pytest.mark.parametrize(
    "data",
    [event("b", id="2"), event("b", after=1), event(1), event(["b"]), event("b")[:-1], b"", b"[DONE]"],
    ids=["head", "tail", "number", "list", "cut", "empty", "end"],
)
def test_event_that_differs_otherwise_is_not_known(data: bytes) -> None:
    """An event that differs in anything else is not known."""
    assert fast_path_from(event("a"), "a").match_data(data) is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"delta": {"text": "\\u0061"}}', "a"),
        (b'{"delta": {"text": "hi"}, "note": "say \\"hi"}', "hi"),
        (b'{"delta": {"text": "a"}, "note": "a"}', "a"),
        (b'{"delta": {"text": "x", "text": "a"}, "a": 1}', "a"),
        (b'{"delta": {"text": "probe"}}', "probe"),
        (b'{"delta": {"text": ","}, "list":["a","b"]}', ","),
    ],
    ids=["escaped", "in-another-text", "said-twice", "a-name", "the-probe", "between-texts"],
)
def test_ambiguous_event_teaches_nothing(data: bytes, text: str) -> None:
    """An event in which the text cannot be told from its surroundings teaches nothing."""
    assert fast_path_from(data, text).match_data(data) is None


def test_learned_event_can_be_forgotten() -> None:
    """What was learned can be forgotten, and learned anew."""
    fast_path = fast_path_from(event("a"), "a")
    fast_path.forget()
    assert fast_path.match_data(event("b")) is None
    fast_path.learn(ServerSentEvent(event("a")), "a")
    assert fast_path.match_data(event("b")) == "b"


def test_fast_path_gives_up_after_a_few_tries() -> None:
    """An upstream whose events always differ in more than their text is given up."""
    fast_path = TextDeltaFastPath(find_text)
    for number in range(10):
        fast_path.learn(ServerSentEvent(event("a", id=number)), "a")
    assert fast_path.match_data(event("b", id=9)) is None
    assert fast_path.match_data(event("b", id=2)) == "b"


@pytest.mark.parametrize("name", ["", "delta"])
@pytest.mark.parametrize(
    ("change", "known"),
    [
        (lambda wire: wire, True),
        (lambda wire: wire + wire, False),
        (lambda wire: wire[:-1], False),
        (lambda wire: wire.replace(b"\n", b"\r\n"), False),
        (lambda wire: b": comment\n" + wire, False),
        (lambda wire: b"event: other\n" + wire.partition(b"\n")[2], False),
    ],
    ids=["whole", "two", "cut", "crlf", "comment", "name"],
)
def test_piece_is_known_only_as_one_whole_learned_event(
    name: str, change: Callable[[bytes], bytes], known: bool
) -> None:
    """A piece is known that is the learned event by itself, in its frame, but for its text."""
    fast_path = TextDeltaFastPath(find_text)
    fast_path.learn(ServerSentEvent(event("a"), name), "a")
    wire = (f"event: {name}\n" if name else "").encode() + b"data: " + event("b") + b"\n\n"
    assert fast_path.match(change(wire)) == ("b" if known else None)
    fast_path.forget()
    assert fast_path.match(wire) is None
