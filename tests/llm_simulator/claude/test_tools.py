"""What Claude refuses among tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

from llm_simulator.claude.tools import is_schema

Ask = Callable[..., Response]

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


def tool(name: str = "f", schema: Any = OBJECT, **members: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": schema, **members}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("name", {"tools": [tool("a b")]}, "tools.0.custom.name: String should match pattern"),
    ("twice", {"tools": [tool(), tool()]}, "Tool names must be unique."),
    ("no type", {"tools": [tool(schema={})]}, "tools.0.custom.input_schema.type: Field required"),
    ("other type", {"tools": [tool(schema={"type": "array"})]}, "Input should be 'object'"),
    ("top anyOf", {"tools": [tool(schema={**OBJECT, "anyOf": [OBJECT]})]}, "does not support oneOf, allOf, or anyOf"),
    ("key", {"tools": [tool(schema={"type": "object", "properties": {"$x": {}}})]}, "Property keys should match"),
    (
        "not a schema",
        {"tools": [tool(schema={"type": "object", "properties": {"x": {"type": "str"}}})]},
        "JSON schema is invalid",
    ),
    ("strict", {"tools": [tool(strict=True)]}, "'additionalProperties' must be explicitly set to false"),
    ("OpenAI form", {"tools": [{"type": "function", "function": {}}]}, "tools.0.custom.type: Input should be 'custom'"),
    ("choice without tools", {"tool_choice": {"type": "auto"}}, "may only be specified while providing tools"),
    ("unknown choice", {"tools": [tool()], "tool_choice": {"type": "tool", "name": "g"}}, "Tool 'g' not found"),
    (
        "none with parallel",
        {"tools": [tool()], "tool_choice": {"type": "none", "disable_parallel_tool_use": True}},
        "tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted",
    ),
    (
        "forced on 5.5",
        {"model": "claude-opus-5-5", "tools": [tool()], "tool_choice": {"type": "any"}},
        '"any" is not supported',
    ),
    (
        "forced on fable",
        {"model": "claude-fable-5-1", "tools": [tool()], "tool_choice": {"type": "tool", "name": "f"}},
        '"tool"',
    ),
]


@pytest.mark.parametrize(("fields", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_undocumented_tools_are_a_400(claude: Ask, fields: dict[str, Any], message: str) -> None:
    """Tools that Anthropic does not take are a 400."""
    response = claude(**fields)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "f"}, {"type": "none"}, {"type": "auto"}])
def test_tool_choice_forces_or_forbids_calls(claude: Ask, choice: dict[str, str]) -> None:
    """Forced choices call, `none` never does, `auto` calls when the prompt fits."""
    content = claude(tools=[tool()], tool_choice=choice).json()["content"]
    assert (content[-1]["type"] == "tool_use") == (choice["type"] in ("any", "tool"))


SCHEMAS: list[tuple[Any, bool]] = [
    (True, True),
    ("object", False),
    ({"type": ["string", "null"]}, True),
    ({"type": 3}, False),
    ({"properties": []}, False),
    ({"required": "x"}, False),
    ({"anyOf": []}, False),
    ({"anyOf": [{"type": "nope"}]}, False),
    ({"items": {"type": "strin"}}, False),
    ({"items": {"type": "string"}, "type": "array"}, True),
]


@pytest.mark.parametrize(("schema", "legal"), SCHEMAS)
def test_is_schema_checks_every_level(schema: Any, legal: bool) -> None:
    """A JSON schema is told from what is none, all the way down."""
    assert is_schema(schema) is legal
