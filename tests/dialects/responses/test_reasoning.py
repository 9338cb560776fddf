"""Entries of reasoning: merged from deltas, and returned to their messages."""

from __future__ import annotations

from typing import Any

from gateway.dialects.responses.reasoning import call_detail, merge_details, return_details


def test_pieces_of_one_entry_are_joined() -> None:
    """Entries with one index and type are one entry; what streams is joined, the rest replaced; without an index each stands alone."""
    known: list[dict[str, Any]] = []
    for entry in (
        {"type": "reasoning.text", "index": 0, "text": "a", "format": "f"},
        {"type": "reasoning.text", "index": 0, "text": "b", "signature": "s", "format": "g"},
        {"type": "reasoning.encrypted", "index": 0, "data": "d"},
        {"type": "reasoning.text", "text": "c"},
        {"type": "reasoning.text", "text": "d"},
    ):
        merge_details(known, entry)
    assert known[0] == {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s", "format": "g"}
    assert [detail.get("data") or detail.get("text") for detail in known[1:]] == ["d", "c", "d"]


def test_entry_of_a_call_is_never_reasoning() -> None:
    """What belongs to a call goes to it or nowhere; the rest is the message's."""
    turn: dict[str, Any] = {"role": "assistant", "tool_calls": [{"id": "c1"}]}
    return_details(turn, [call_detail("c1", {"a": 1}), call_detail("c2", {"a": 2}), {"format": "f"}])
    assert turn == {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "extra_content": {"a": 1}}],
        "reasoning_details": [{"format": "f"}],
    }
    broken: dict[str, Any] = {"tool_calls": [{"id": "c1"}]}
    return_details(broken, [{**call_detail("c1", {}), "extra_content": "x"}, {**call_detail("c1", {}), "id": []}])
    assert broken == {"tool_calls": [{"id": "c1"}]}
