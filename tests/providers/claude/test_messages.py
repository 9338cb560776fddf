"""Histories beyond the wire cases."""

from __future__ import annotations

from typing import Any

from tests.providers.claude.asking import HAIKU_4_5, OPUS_4_7, SONNET_5_5, call, called, result, sent, text

USER = {"role": "user", "content": "1"}


def roles(messages: list[dict[str, Any]], model: str = HAIKU_4_5) -> list[str]:
    return [turn["role"] for turn in sent(messages, to=model).json["messages"]]


def test_trailing_calls_are_answered() -> None:
    """Calls that nothing follows are answered, so that the model can go on."""
    assert sent([USER, called(call("c1"))]).json["messages"][-1]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "(no result)"}
    ]


def test_late_result_comes_before_the_user_text() -> None:
    """A result that came after the user spoke still comes first."""
    history = [USER, called(call("c1")), {"role": "user", "content": "2"}, result("c1")]
    last = sent(history).json["messages"][-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "text"]


def test_result_after_the_next_answer_becomes_text() -> None:
    """A result that came after the assistant spoke again is told as text."""
    history = [
        USER,
        called(call("c1")),
        {"role": "user", "content": "2"},
        {"role": "assistant", "content": "3"},
        result("c1"),
    ]
    assert sent(history).json["messages"][-1]["content"] == text("Result of tool call c1:", "sunny")


def test_system_turns_only_where_they_fit() -> None:
    """A system turn follows the user's and precedes the assistant's; results of tools are the user's."""
    system = {"role": "system", "content": "S"}
    assert roles([USER, called(call("c1")), system, result("c1")], SONNET_5_5) == [
        "user",
        "assistant",
        "user",
        "system",
    ]
    assert roles([USER, called(call("c1")), system, result("c1")], OPUS_4_7) == ["user", "assistant", "user"]
    assert roles([USER, {"role": "assistant", "content": "2"}, system], SONNET_5_5) == ["user", "assistant", "user"]
    assert roles([USER, {"role": "system", "content": ""}], SONNET_5_5) == ["user"]


def test_thinking_between_calls_stays_there() -> None:
    """Thinking between two calls stays there, and has no result."""
    detail = {"type": "reasoning.text", "text": "t", "signature": "s", "after_tool_calls": 1}
    calls = called(call("c1"), call("c2"), reasoning_details=[detail])
    turns = sent([USER, calls, result("c1"), result("c2")], to=SONNET_5_5).json["messages"]
    assert [block["type"] for block in turns[1]["content"]] == ["tool_use", "thinking", "tool_use"]
    assert [block["type"] for block in turns[2]["content"]] == ["tool_result", "tool_result"]
