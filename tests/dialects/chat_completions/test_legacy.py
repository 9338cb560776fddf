"""The deprecated function form as tools."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.chat_completions.legacy import rewrite_as_tools, uses_legacy_form

USER = {"role": "user", "content": "weather?"}
CALL = {"name": "f", "arguments": "{}"}


def asked(call: object = CALL, **members: object) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "function_call": call, **members}


def told(name: str = "f", content: object = "sunny") -> dict[str, Any]:
    return {"role": "function", "name": name, "content": content}


def messages(*items: dict[str, Any]) -> list[Any]:
    modern: list[Any] = rewrite_as_tools({"messages": [USER, *items]})["messages"]
    return modern[1:]


@pytest.mark.parametrize(
    ("body", "legacy"),
    [
        ({"messages": [USER]}, False),
        ({"messages": [USER, {"role": "assistant", "content": "a", "function_call": None}]}, False),
        ({"messages": [USER], "functions": [CALL]}, True),
        ({"messages": [USER], "function_call": "auto"}, True),
        ({"messages": [USER, asked()]}, True),
        ({"messages": [USER, told()]}, True),
    ],
)
def test_uses_legacy_form(body: dict[str, Any], legacy: bool) -> None:
    """The old form is one of its two parameters, a call, or a result in it."""
    assert uses_legacy_form(body) is legacy


@pytest.mark.parametrize(
    ("function_call", "tool_choice"),
    [("none", "none"), ("auto", "auto"), ({"name": "f"}, {"type": "function", "function": {"name": "f"}})],
)
def test_legacy_functions_become_tools_one_call_at_a_time(function_call: object, tool_choice: object) -> None:
    """Functions become tools, one call at a time; the given body stays as it is."""
    body = {"messages": [USER], "functions": [{"name": "f"}], "function_call": function_call, "seed": 1}
    before = dict(body)
    assert rewrite_as_tools(body) == {
        "messages": [USER],
        "seed": 1,
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "parallel_tool_calls": False,
        "tool_choice": tool_choice,
    }
    assert body == before


def test_legacy_function_call_needs_functions() -> None:
    """Without `function_call` there is no `tool_choice`; without `functions` it means nothing."""
    assert "tool_choice" not in rewrite_as_tools({"messages": [USER], "functions": [{"name": "f"}]})
    assert rewrite_as_tools({"messages": [USER], "function_call": "auto"}) == {"messages": [USER]}


def test_legacy_call_and_result_share_an_id() -> None:
    """A call gets an id made of its place, and the result has the same."""
    call, result = messages(asked(), told())
    assert call == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_legacy_1", "type": "function", "function": CALL}],
    }
    assert result == {"role": "tool", "tool_call_id": "call_legacy_1", "content": "sunny"}


def test_legacy_result_answers_the_newest_open_call() -> None:
    """A result answers the newest open call of its name, and each call is answered once."""
    other = asked({"name": "g", "arguments": ""})
    *_, first, second, third = messages(asked(), other, asked(), told("f"), told("f"), told("g", None))
    assert [message["tool_call_id"] for message in (first, second, third)] == [
        "call_legacy_3",
        "call_legacy_1",
        "call_legacy_2",
    ]
    assert third["content"] == ""


def test_legacy_result_without_a_call_gets_an_id() -> None:
    """A result that answers nothing has an id of its own."""
    assert messages(told())[0]["tool_call_id"] == "call_legacy_1"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "a", "function_call": None},
        {"role": "user", "content": "a", "function_call": CALL},
        asked(tool_calls=[{"id": "c"}]),
    ],
)
def test_misplaced_legacy_calls_are_left_out(message: dict[str, Any]) -> None:
    """An empty call, one that is not the assistant's, and one beside tool calls are left out."""
    assert messages(message) == [{name: value for name, value in message.items() if name != "function_call"}]
