"""Tools, choices among them, and response formats: what is accepted and what is refused with its path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.dialects.chat_completions.tools import (
    check_choice_is_offered,
    check_function_call,
    check_functions,
    check_response_format,
    check_tool_choice,
    check_tools,
)
from gateway.errors import InvalidRequest
from tests.dialects.chat_completions.refusals import refused_member

Check = Callable[[object, str], None]
F = {"type": "function", "function": {"name": "f", "description": None, "parameters": {}, "strict": True}}
G = {"type": "custom", "custom": {"name": "g", "description": "d", "format": {"type": "text"}}}


def function(**members: object) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "f", **members}}]


def allowed(mode: object, *tools: object) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


def schema(**members: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}, **members}}


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (check_tools, []),
        (check_tools, [F, G, {"type": "custom", "custom": {"name": "h"}}]),
        (check_functions, [{"name": "f"}]),
        (check_tool_choice, "required"),
        (check_tool_choice, {"type": "function", "function": {"name": "f"}}),
        (check_tool_choice, {"type": "custom", "custom": {"name": "g"}}),
        (check_tool_choice, allowed("auto", F)),
        (check_function_call, "none"),
        (check_function_call, {"name": "f"}),
        (check_response_format, {"type": "text"}),
        (check_response_format, {"type": "json_object"}),
        (check_response_format, schema(strict=None, description=None)),
        (check_response_format, schema(strict=True, description="d")),
    ],
)
def test_documented_tool_forms_are_accepted(check: Check, value: object) -> None:
    """Every documented form is accepted."""
    assert refused_member(check, value, "x") is None


@pytest.mark.parametrize(
    ("check", "value", "path"),
    [
        (check_tools, {}, ""),
        (check_tools, [F] * 513, ""),
        (check_tools, ["f"], "[0]"),
        (check_tools, [{}], "[0].type"),
        (check_tools, [{"type": "magic"}], "[0].type"),
        (check_tools, [{"type": "function"}], "[0].function"),
        (check_tools, [F, {"type": "function", "function": {}}], "[1].function.name"),
        (check_tools, function(name="a b"), "[0].function.name"),
        (check_tools, function(name="f\n"), "[0].function.name"),
        (check_tools, function(name="f" * 65), "[0].function.name"),
        (check_tools, function(description=7), "[0].function.description"),
        (check_tools, function(parameters="{}"), "[0].function.parameters"),
        (check_tools, function(strict="yes"), "[0].function.strict"),
        (check_tools, [{"type": "custom", "custom": {"name": "g", "format": "text"}}], "[0].custom.format"),
        (check_functions, [], ""),
        (check_functions, [7], "[0]"),
        (check_functions, [{}], "[0].name"),
        (check_tool_choice, "any", ""),
        (check_tool_choice, 7, ""),
        (check_tool_choice, {}, ".type"),
        (check_tool_choice, {"type": "function"}, ".function"),
        (check_tool_choice, {"type": "function", "function": {}}, ".function.name"),
        (check_tool_choice, allowed("some", F), ".allowed_tools.mode"),
        (check_tool_choice, allowed("auto"), ".allowed_tools.tools"),
        (check_tool_choice, allowed("auto", "f"), ".allowed_tools.tools[0]"),
        (
            check_tool_choice,
            allowed("auto", F, {"type": "function", "function": {}}),
            ".allowed_tools.tools[1].function.name",
        ),
        (check_function_call, "required", ""),
        (check_function_call, 7, ""),
        (check_function_call, {}, ".name"),
        (check_response_format, "json", ""),
        (check_response_format, {}, ".type"),
        (check_response_format, {"type": "yaml"}, ".type"),
        (check_response_format, {"type": "json_schema"}, ".json_schema"),
        (check_response_format, {"type": "json_schema", "json_schema": {"schema": {}}}, ".json_schema.name"),
        (check_response_format, {"type": "json_schema", "json_schema": {"name": "a"}}, ".json_schema.schema"),
        (check_response_format, schema(schema="{}"), ".json_schema.schema"),
        (check_response_format, schema(strict="yes"), ".json_schema.strict"),
        (check_response_format, schema(description=7), ".json_schema.description"),
    ],
)
def test_bad_tool_is_refused_with_its_path(check: Check, value: object, path: str) -> None:
    """What breaks a rule is refused, and the path leads to it."""
    with pytest.raises(InvalidRequest) as refused:
        check(value, "x")
    assert refused.value.param == f"x{path}"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tool_choice": "none"},
        {"tools": [F], "tool_choice": "required"},
        {"tools": [F, G], "tool_choice": {"type": "custom", "custom": {"name": "g"}}},
        {"tools": [F, G], "tool_choice": allowed("required", F)},
        {"function_call": "auto"},
        {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
    ],
)
def test_offered_tool_choice_is_accepted(body: dict[str, Any]) -> None:
    """A choice among the tools given is accepted, and one that asks for none needs no tools."""
    assert refused_member(check_choice_is_offered, body) is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [F], "tool_choice": {"type": "custom", "custom": {"name": "g"}}}, "tool_choice"),
        ({"tools": [F], "tool_choice": allowed("auto", G)}, "tool_choice"),
        ({"function_call": {"name": "f"}}, "function_call"),
    ],
)
def test_tool_choice_outside_the_tools_is_refused(body: dict[str, Any], param: str) -> None:
    """What is forced or allowed must be among the tools."""
    with pytest.raises(InvalidRequest) as refused:
        check_choice_is_offered(body)
    assert refused.value.param == param
