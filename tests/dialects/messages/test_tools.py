"""Tools and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.messages.native_only import NativeOnly
from gateway.dialects.messages.tools import chat_tool_choice, chat_tools
from gateway.errors import InvalidRequest

SCHEMA = {"type": "object", "properties": {}}
TOOL = {"name": "f", "input_schema": SCHEMA}


def test_custom_tools_are_functions() -> None:
    """Name, description, schema, strictness and mark are kept; what concerns only Anthropic is left out."""
    tool = {**TOOL, "type": "custom", "description": "d", "strict": True, "cache_control": {"type": "ephemeral"}}
    (converted,) = chat_tools([{**tool, "defer_loading": True, "input_examples": []}], "tools", native=NativeOnly())
    assert converted == {
        "type": "function",
        "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
        "cache_control": {"type": "ephemeral"},
    }


@pytest.mark.parametrize(
    ("kind", "unpriced"), [("web_search_20250305", "tools[0]"), ("bash_20250124", None)], ids=["server", "client"]
)
def test_tools_of_anthropic_need_claude(kind: str, unpriced: str | None) -> None:
    """A tool that Anthropic defines is no error; those that it runs may cost extra."""
    native = NativeOnly()
    assert chat_tools([{"type": kind, "name": "x"}, TOOL], "tools", native=native)[0]["function"]["name"] == "f"
    assert native.untranslatable is not None
    assert native.untranslatable.path == "tools[0].type"
    assert kind in native.untranslatable.reason
    assert native.unpriced == unpriced


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
        ({"type": "auto", "disable_parallel_tool_use": False}, {"tool_choice": "auto"}),
    ],
)
def test_choices(given: Any, expected: Any) -> None:
    """Each choice has its counterpart in chat completions."""
    assert chat_tool_choice(given, "tool_choice") == expected


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        (7, "tools[0]"),
        ({"input_schema": SCHEMA}, "tools[0].name"),
        ({"name": "no spaces", "input_schema": SCHEMA}, "tools[0].name"),
        ({"name": "f"}, "tools[0].input_schema"),
        ({**TOOL, "input_schema": 7}, "tools[0].input_schema"),
        ({**TOOL, "description": 7}, "tools[0].description"),
        ({**TOOL, "strict": "yes"}, "tools[0].strict"),
        ({**TOOL, "type": 7}, "tools[0].type"),
        ({**TOOL, "cache_control": 7}, "tools[0].cache_control"),
    ],
)
def test_a_wrong_tool_is_named(tool: Any, path: str) -> None:
    """A member of a tool that is wrong is told with its path."""
    with pytest.raises(InvalidRequest) as refused:
        chat_tools([tool], "tools", native=NativeOnly())
    assert refused.value.param == path


def test_schemas_are_bounded_together() -> None:
    """Some providers rewrite each value of each schema, so their number is bounded."""
    big = {"name": "f", "input_schema": {"enum": [0] * 19_000}}
    with pytest.raises(InvalidRequest, match="100000"):
        chat_tools([big] * 6, "tools", native=NativeOnly())


@pytest.mark.parametrize(
    "choice", [{}, {"type": "some"}, {"type": "tool"}, {"type": "auto", "disable_parallel_tool_use": 1}]
)
def test_a_wrong_choice_is_refused(choice: Any) -> None:
    """A choice that does not exist is an error."""
    with pytest.raises(InvalidRequest, match="tool_choice"):
        chat_tool_choice(choice, "tool_choice")
