"""Validates tools and `tool_choice` as Claude does."""

from __future__ import annotations

import re
from typing import Any

from llm_simulator.claude.output_schemas import check_output_schema
from llm_simulator.models import ClaudeModel
from llm_simulator.validators import Path, Problem

PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
INVALID = "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12)."


def check_tools(body: dict[str, Any], model: ClaudeModel) -> None:
    tools = body.get("tools", [])
    for index, tool in enumerate(tools):
        if not tool.get("server"):
            check_tool(tool, ("tools", index, "custom"))
    names = [tool.get("name") for tool in tools]
    if len(set(names)) < len(names):
        raise Problem(("tools",), "value", "Tool names must be unique.")
    check_choice(body.get("tool_choice"), names, model)


def check_tool(tool: dict[str, Any], path: Path) -> None:
    schema = tool["input_schema"]
    inside = (*path, "input_schema")
    if "type" not in schema:
        raise Problem((*inside, "type"), "missing", "Field required")
    if schema["type"] != "object":
        raise Problem((*inside, "type"), "value", "Input should be 'object'")
    if schema.keys() & {"oneOf", "allOf", "anyOf"}:
        raise Problem(inside, "value", "input_schema does not support oneOf, allOf, or anyOf at the top level")
    for name in schema.get("properties") or {}:
        if not PROPERTY.fullmatch(name):
            raise Problem(
                (*inside, "properties"), "value", "Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'"
            )
    if not is_schema(schema):
        raise Problem(inside, "value", INVALID)
    if tool.get("strict"):
        check_output_schema(schema, inside)


def is_schema(schema: Any) -> bool:
    """Whether type keywords have legal values at every depth."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict):
        return False
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict | None) or not isinstance(required, list | None):
        return False
    if not all(isinstance(kind, str) and kind in TYPES for kind in kinds):
        return False
    lists = [schema[keyword] for keyword in ("anyOf", "oneOf", "allOf") if keyword in schema]
    if not all(isinstance(branches, list) and branches for branches in lists):
        return False
    inner = [*(properties or {}).values(), *(branch for branches in lists for branch in branches)]
    inner += [schema["items"]] if "items" in schema else []
    return all(is_schema(part) for part in inner)


def check_choice(choice: dict[str, Any] | None, names: list[Any], model: ClaudeModel) -> None:
    if choice is None:
        return
    if not names:
        raise Problem(("tool_choice",), "value", "tool_choice may only be specified while providing tools.")
    if choice["type"] == "tool" and choice["name"] not in names:
        raise Problem((), "value", f"Tool '{choice['name']}' not found in provided tools")
    if choice["type"] in ("any", "tool") and model.always_thinks:
        raise Problem(
            ("tool_choice", "type"),
            "value",
            f'"{choice["type"]}" is not supported for this model. Use "auto" or "none".',
        )
