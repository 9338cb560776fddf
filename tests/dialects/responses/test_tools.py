"""Tools become functions, and calls of them the client's tools again."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.responses import tools as tools_module
from gateway.dialects.responses.tools import ClientTool, custom_arguments, custom_input, read_tools, tool_names
from gateway.errors import InvalidRequest
from tests.dialects.responses.bodies import CALL, WEATHER, messages, parsed, refused

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": GRAMMAR}
SPACE = {
    "type": "namespace",
    "name": "mcp.files",
    "description": "Files",
    "tools": [{"type": "function", "name": "read"}, {"type": "custom", "name": "get_weather"}],
}
SEARCH = {"type": "web_search", "external_web_access": False}


def chat(*tools: dict[str, Any], **members: Any) -> dict[str, Any]:
    return dict(parsed(tools=list(tools), **members).chat.body)


def test_functions_are_nested_and_keep_their_members() -> None:
    """A function keeps its schema and `strict`; members that chat completions do not know are left out."""
    mark = {"type": "ephemeral"}
    tool = {**WEATHER, "description": "d", "strict": True, "defer_loading": True, "cache_control": mark}
    function = {"name": "get_weather", "description": "d", "parameters": {"type": "object"}, "strict": True}
    assert chat(tool)["tools"] == [{"type": "function", "function": function, "cache_control": mark}]


def test_custom_tools_are_functions_with_one_string() -> None:
    """A custom tool takes one string, and its grammar is in the description."""
    (tool,) = chat(PATCH)["tools"]
    assert tool["function"]["parameters"]["required"] == ["input"]
    assert tool["function"]["description"].startswith("Edits files.\n\n`input` must match this lark grammar:\nstart: X")
    assert (
        "description" not in chat({"type": "custom", "name": "x", "format": {"type": "text"}})["tools"][0]["function"]
    )


def test_namespaces_are_flattened() -> None:
    """Tools of a namespace keep their names; two of one name are told apart by the namespace."""
    body: dict[str, Any] = {"tools": [WEATHER, SPACE]}
    names = [tool["function"]["name"] for tool in chat(*body["tools"])["tools"]]
    assert names == ["get_weather", "read", "mcp_files__get_weather"]
    known = tool_names(body)
    assert known.declared("read") == ClientTool("read", "mcp.files")
    assert known.declared("mcp_files__get_weather") == ClientTool("get_weather", "mcp.files", custom=True)
    assert known.declared("unknown") == ClientTool("unknown")
    assert known.tools == read_tools(body["tools"]).names.tools


@pytest.mark.parametrize(
    ("namespace", "sent"), [(None, "get_weather"), ("mcp.files", "mcp_files__get_weather"), ("gone", "get_weather")]
)
def test_calls_in_the_input_have_the_same_names(namespace: str | None, sent: str) -> None:
    """A call of the input is named as its tool; a tool that is gone keeps its own name."""
    call = {**CALL, "namespace": namespace}
    found = messages([{"role": "user", "content": "x"}, call], tools=[WEATHER, SPACE])
    assert found[1]["tool_calls"][0]["function"]["name"] == sent


def test_web_search_is_left_out_and_said() -> None:
    """Codex always sends a web search: it is left out, the rest is served, and the client is told."""
    request = parsed(tools=[WEATHER, SEARCH, {"type": "web_search_preview_2025_03_11"}], tool_choice="auto")
    assert [tool["function"]["name"] for tool in request.chat.body["tools"]] == ["get_weather"]
    assert request.chat.dropped == ("tools[1]:web_search", "tools[2]:web_search_preview_2025_03_11")
    assert "tools" not in chat(SEARCH, tool_choice="auto")
    assert "tool_choice" not in chat(SEARCH, tool_choice="auto")


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"type": "function", "function": {"name": "nested"}}, "tools[0].name"),
        ({"type": "file_search"}, "tools[0].type"),
        ({"type": 7}, "tools[0].type"),
        ({}, "tools[0].type"),
        ("x", "tools[0]"),
        ({**WEATHER, "name": "no spaces"}, "tools[0].name"),
        ({**WEATHER, "description": 7}, "tools[0].description"),
        ({**WEATHER, "parameters": []}, "tools[0].parameters"),
        ({**WEATHER, "strict": "yes"}, "tools[0].strict"),
        ({**WEATHER, "cache_control": 7}, "tools[0].cache_control"),
        ({**PATCH, "format": {}}, "tools[0].format.type"),
        ({**PATCH, "format": {"type": "grammar"}}, "tools[0].format.syntax"),
        ({**SPACE, "name": ""}, "tools[0].name"),
        ({**SPACE, "tools": [{"type": "mcp"}]}, "tools[0].tools[0].type"),
        ({**SPACE, "tools": [SPACE]}, "tools[0].tools[0].type"),
    ],
    ids=str,
)
def test_invalid_tool_is_named(tool: Any, param: str) -> None:
    """The wrong member is named; a tool that the gateway does not run is refused, not ignored."""
    assert refused(tools=[tool]).param == param


def test_two_tools_of_one_name_are_refused() -> None:
    """A call could not be told which of them it means."""
    assert refused(tools=[WEATHER, WEATHER]).param == "tools[1].name"


def test_tools_are_bounded() -> None:
    """Namespaces do not get around the limits of tools and schemas."""
    spaces = [
        {"type": "namespace", "name": f"n{n}", "tools": [{"type": "function", "name": f"t{n}_{i}"} for i in range(300)]}
        for n in range(2)
    ]
    assert refused(tools=spaces).param == "tools"
    large = [{**WEATHER, "name": f"t{i}", "parameters": {"enum": [0] * 19_000}} for i in range(6)]
    assert refused(tools=large).code == "schema_too_large"


NAMED = {"type": "function", "function": {"name": "get_weather"}}


@pytest.mark.parametrize(
    ("choice", "chat_choice"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "get_weather"}, NAMED),
        ({"type": "custom", "name": "apply_patch"}, {"type": "function", "function": {"name": "apply_patch"}}),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "get_weather"}, SEARCH],
            },
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}},
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [SEARCH]}, "none"),
    ],
    ids=str,
)
def test_tool_choice_is_translated(choice: Any, chat_choice: Any) -> None:
    """All forms that name declared tools; what is left out cannot be allowed."""
    assert chat(WEATHER, PATCH, SEARCH, tool_choice=choice)["tool_choice"] == chat_choice


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ("maybe", "tool_choice"),
        (7, "tool_choice"),
        ({}, "tool_choice.type"),
        ({"type": "web_search"}, "tool_choice"),
        ({"type": "function"}, "tool_choice.name"),
        ({"type": "function", "name": "gone"}, "tool_choice"),
        ({"type": "function", "name": "get_weather", "namespace": 7}, "tool_choice.namespace"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, "tool_choice.tools"),
        ({"type": "allowed_tools", "mode": "required", "tools": [SEARCH]}, "tool_choice"),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}, "tool_choice.tools[0]"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]},
            "tool_choice.tools[0]",
        ),
    ],
    ids=str,
)
def test_invalid_choice_is_named(choice: Any, param: str) -> None:
    """A choice of what is not declared or not run is refused, also where the tool itself is left out."""
    assert refused(tools=[WEATHER, SEARCH], tool_choice=choice).param == param


def test_required_choice_needs_tools() -> None:
    """A call cannot be required where there is nothing to call."""
    assert refused(tool_choice="required").param == "tool_choice"


def test_input_of_a_custom_tool_survives_the_way_there_and_back() -> None:
    """The string comes out as it went in; arguments that are something else come out as they are."""
    assert custom_input(custom_arguments('a "b"\n')) == 'a "b"\n'
    for other in ("plain", "[]", '{"input": 7}', "{}"):
        assert custom_input(other) == other


def test_tools_must_be_an_array() -> None:
    """A single tool is not read as a list of one."""
    with pytest.raises(InvalidRequest):
        tools_module.read_tools({"type": "function"})
