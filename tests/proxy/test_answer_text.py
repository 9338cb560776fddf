"""The text of messages, for the judge."""

from __future__ import annotations

from typing import Any

from gateway.proxy.answer_text import ANSWER_CHARS, Transcript, texts_of


def test_texts_and_calls_are_read() -> None:
    """Text, the text parts of a list, and calls with their arguments; pictures and nulls are left out."""
    call = {"function": {"name": "sum", "arguments": '{"a": 1}'}}
    assert list(texts_of({"content": "Hi", "tool_calls": [call, {}]})) == ["Hi", 'sum{"a": 1}', ""]
    assert list(texts_of({"content": [{"type": "text", "text": "a"}, {"type": "image_url"}]})) == ["a"]
    assert list(texts_of({"content": None})) == []


def test_a_transcript_joins_the_pieces_of_an_answer() -> None:
    """Choices of whole answers and deltas of streams alike."""
    transcript = Transcript()
    choices: list[dict[str, Any]] = [{"delta": {"content": "Hel"}}, {"delta": {}}, {"message": {"content": "lo"}}]
    for choice in choices:
        transcript.add(choice)
    assert transcript.text == "Hello"


def test_a_transcript_is_bounded() -> None:
    """Only the beginning of a long answer is kept."""
    transcript = Transcript()
    for _ in range(3):
        transcript.add({"delta": {"content": "x" * (ANSWER_CHARS - 10)}})
    assert len(transcript.text) == ANSWER_CHARS
