"""Validates `tools`, `tool_choice`, the deprecated `functions` and `function_call`, and `response_format`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

from gateway.field_checks import (
    array,
    boolean,
    choice,
    invalid,
    mapping,
    matching,
    required,
    shown,
    string,
    wrong_type,
)

MAX_TOOLS = 512
# JSON values of one schema, and of all tools together: some providers rewrite each of them.
MAX_SCHEMA_VALUES = 20_000
MAX_TOOL_VALUES = 100_000
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_TOOL_TYPES = ("function", "custom")


def check_tools(value: object, path: str) -> None:
    values = 0
    for i, item in enumerate(array(value, path, most=MAX_TOOLS)):
        values += _check_tool(item, f"{path}[{i}]")
    _check_total(values, path)


def check_functions(value: object, path: str) -> None:
    values = 0
    for i, item in enumerate(array(value, path, least=1, most=MAX_TOOLS)):
        values += _check_function(mapping(item, f"{path}[{i}]"), f"{path}[{i}]")
    _check_total(values, path)


def _check_total(values: int, path: str) -> None:
    if values > MAX_TOOL_VALUES:
        message = f"Invalid '{path}': the schemas hold {values} values together. Expected at most {MAX_TOOL_VALUES}."
        invalid(path, message, code="schema_too_large")


def _check_tool(value: object, path: str) -> int:
    """Returns the number of values in its schema."""
    tool = mapping(value, path)
    kind = choice(required(tool, path, name="type"), f"{path}.type", of=_TOOL_TYPES)
    definition = mapping(required(tool, path, name=kind), f"{path}.{kind}")
    for place, holder in ((path, tool), (f"{path}.{kind}", definition)):
        if holder.get("cache_control") is not None:
            mapping(holder["cache_control"], f"{place}.cache_control")
    if kind == "function":
        return _check_function(definition, f"{path}.{kind}")
    _check_name(definition, f"{path}.{kind}")
    if definition.get("format") is not None:
        mapping(definition["format"], f"{path}.{kind}.format")
    return 0


def _check_function(function: dict[str, Any], path: str) -> int:
    """Returns the number of values in its schema."""
    _check_name(function, path)
    values = 0
    if function.get("parameters") is not None:
        values = check_schema(function["parameters"], f"{path}.parameters")
    if function.get("strict") is not None:
        boolean(function["strict"], f"{path}.strict")
    return values


def check_schema(value: object, path: str) -> int:
    """Count the values of a schema. Raises InvalidRequest above MAX_SCHEMA_VALUES; providers check their meaning."""
    values = 0
    waiting: list[Any] = [mapping(value, path)]
    while waiting:
        parent = waiting.pop()
        values += len(parent)
        if values > MAX_SCHEMA_VALUES:
            message = (
                f"Invalid '{path}': the schema is too large. Expected at most {MAX_SCHEMA_VALUES} members and items."
            )
            invalid(path, message, code="schema_too_large")
        children = parent.values() if type(parent) is dict else parent
        waiting += [child for child in children if type(child) is dict or type(child) is list]
    return values


def _check_name(definition: dict[str, Any], path: str) -> None:
    matching(required(definition, path, name="name"), f"{path}.name", pattern=NAME)
    if definition.get("description") is not None:
        string(definition["description"], f"{path}.description")


def check_tool_choice(value: object, path: str) -> None:
    if isinstance(value, str):
        choice(value, path, of=("none", "auto", "required"))
        return
    if not isinstance(value, dict):
        wrong_type(value, path, expected="a string or an object")
    kind = choice(required(value, path, name="type"), f"{path}.type", of=(*_TOOL_TYPES, "allowed_tools"))
    choice_value = mapping(required(value, path, name=kind), f"{path}.{kind}")
    if kind != "allowed_tools":
        string(required(choice_value, f"{path}.{kind}", name="name"), f"{path}.{kind}.name", empty=False)
        return
    choice(required(choice_value, f"{path}.{kind}", name="mode"), f"{path}.{kind}.mode", of=("auto", "required"))
    tools = array(
        required(choice_value, f"{path}.{kind}", name="tools"), f"{path}.{kind}.tools", least=1, most=MAX_TOOLS
    )
    for i, item in enumerate(tools):
        _check_reference(item, f"{path}.{kind}.tools[{i}]")


def check_function_call(value: object, path: str) -> None:
    """The deprecated form of `tool_choice`."""
    if isinstance(value, str):
        choice(value, path, of=("none", "auto"))
        return
    if not isinstance(value, dict):
        wrong_type(value, path, expected="a string or an object")
    string(required(value, path, name="name"), f"{path}.name", empty=False)


def check_choice_is_offered(body: Mapping[str, Any]) -> None:
    """Check that `tool_choice` names only tools in `tools`; the same for the deprecated pair."""
    choice_value = body.get("tool_choice", "auto")
    if choice_value not in ("auto", "none"):
        tools = body.get("tools")
        if not tools:
            invalid("tool_choice", "'tool_choice' can only ask for a tool when 'tools' are given.")
        if isinstance(choice_value, dict):
            references = (
                choice_value["allowed_tools"]["tools"] if choice_value["type"] == "allowed_tools" else [choice_value]
            )
            _check_offered(references, {_name_of(tool) for tool in tools}, path="tool_choice")
    function_call = body.get("function_call", "auto")
    if isinstance(function_call, dict):
        offered = {function["name"] for function in body.get("functions", ())}
        _check_offered([{"type": "function", "function": function_call}], offered, path="function_call")


def _check_offered(references: list[dict[str, Any]], offered: Set[str], *, path: str) -> None:
    for reference in references:
        if _name_of(reference) not in offered:
            invalid(path, f"Invalid '{path}': no tool named {shown(_name_of(reference))} is given.")


def check_response_format(value: object, path: str) -> None:
    form = mapping(value, path)
    kind = choice(required(form, path, name="type"), f"{path}.type", of=("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return
    described = mapping(required(form, path, name="json_schema"), f"{path}.json_schema")
    path = f"{path}.json_schema"
    matching(required(described, path, name="name"), f"{path}.name", pattern=NAME)
    check_schema(required(described, path, name="schema"), f"{path}.schema")
    if described.get("strict") is not None:
        boolean(described["strict"], f"{path}.strict")
    if described.get("description") is not None:
        string(described["description"], f"{path}.description")


def _check_reference(value: object, path: str) -> None:
    tool = mapping(value, path)
    kind = choice(required(tool, path, name="type"), f"{path}.type", of=_TOOL_TYPES)
    named = mapping(required(tool, path, name=kind), f"{path}.{kind}")
    string(required(named, f"{path}.{kind}", name="name"), f"{path}.{kind}.name", empty=False)


def _name_of(tool: dict[str, Any]) -> str:
    name: str = tool[tool["type"]]["name"]
    return name
