"""The rules for `tools`, `tool_choice`, the deprecated `functions`, `function_call`, and for `response_format`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.wire.checks import array, boolean, choice, invalid, mapping, matching, missing, shown, string, wrong_type

MAX_TOOLS = 512
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_TOOL_TYPES = ("function", "custom")


def check_tools(value: object, path: str) -> None:
    for i, item in enumerate(array(value, path, most=MAX_TOOLS)):
        _check_tool(item, f"{path}[{i}]")


def check_functions(value: object, path: str) -> None:
    for i, item in enumerate(array(value, path, least=1, most=MAX_TOOLS)):
        _check_function(mapping(item, f"{path}[{i}]"), f"{path}[{i}]")


def _check_tool(value: object, path: str) -> None:
    tool = mapping(value, path)
    kind = choice(_required(tool, path, name="type"), f"{path}.type", of=_TOOL_TYPES)
    definition = mapping(_required(tool, path, name=kind), f"{path}.{kind}")
    for place, holder in ((path, tool), (f"{path}.{kind}", definition)):
        if holder.get("cache_control") is not None:
            mapping(holder["cache_control"], f"{place}.cache_control")
    if kind == "function":
        _check_function(definition, f"{path}.{kind}")
        return
    _check_name(definition, f"{path}.{kind}")
    if definition.get("format") is not None:
        mapping(definition["format"], f"{path}.{kind}.format")


def _check_function(function: dict[str, Any], path: str) -> None:
    _check_name(function, path)
    if function.get("parameters") is not None:
        mapping(function["parameters"], f"{path}.parameters")
    if function.get("strict") is not None:
        boolean(function["strict"], f"{path}.strict")


def _check_name(definition: dict[str, Any], path: str) -> None:
    matching(_required(definition, path, name="name"), f"{path}.name", pattern=NAME)
    if definition.get("description") is not None:
        string(definition["description"], f"{path}.description")


def check_tool_choice(value: object, path: str) -> None:
    if isinstance(value, str):
        choice(value, path, of=("none", "auto", "required"))
        return
    if not isinstance(value, dict):
        wrong_type(value, path, expected="a string or an object")
    kind = choice(_required(value, path, name="type"), f"{path}.type", of=(*_TOOL_TYPES, "allowed_tools"))
    wanted = mapping(_required(value, path, name=kind), f"{path}.{kind}")
    if kind != "allowed_tools":
        string(_required(wanted, f"{path}.{kind}", name="name"), f"{path}.{kind}.name", empty=False)
        return
    choice(_required(wanted, f"{path}.{kind}", name="mode"), f"{path}.{kind}.mode", of=("auto", "required"))
    tools = array(_required(wanted, f"{path}.{kind}", name="tools"), f"{path}.{kind}.tools", least=1)
    for i, item in enumerate(tools):
        _check_reference(item, f"{path}.{kind}.tools[{i}]")


def check_function_call(value: object, path: str) -> None:
    """The deprecated form of `tool_choice`."""
    if isinstance(value, str):
        choice(value, path, of=("none", "auto"))
        return
    if not isinstance(value, dict):
        wrong_type(value, path, expected="a string or an object")
    string(_required(value, path, name="name"), f"{path}.name", empty=False)


def check_choice_is_offered(body: Mapping[str, Any]) -> None:
    """What `tool_choice` forces or allows must be among `tools`; the same for the deprecated pair."""
    wanted = body.get("tool_choice", "auto")
    if wanted not in ("auto", "none"):
        tools = body.get("tools")
        if not tools:
            invalid("tool_choice", "'tool_choice' can only ask for a tool when 'tools' are given.")
        if isinstance(wanted, dict):
            references = wanted["allowed_tools"]["tools"] if wanted["type"] == "allowed_tools" else [wanted]
            _among(references, [_name_of(tool) for tool in tools], path="tool_choice")
    function_call = body.get("function_call", "auto")
    if isinstance(function_call, dict):
        offered = [function["name"] for function in body.get("functions", ())]
        _among([{"type": "function", "function": function_call}], offered, path="function_call")


def _among(references: list[dict[str, Any]], offered: list[str], *, path: str) -> None:
    for reference in references:
        if _name_of(reference) not in offered:
            invalid(path, f"Invalid '{path}': no tool named {shown(_name_of(reference))} is given.")


def check_response_format(value: object, path: str) -> None:
    form = mapping(value, path)
    kind = choice(_required(form, path, name="type"), f"{path}.type", of=("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return
    described = mapping(_required(form, path, name="json_schema"), f"{path}.json_schema")
    path = f"{path}.json_schema"
    matching(_required(described, path, name="name"), f"{path}.name", pattern=NAME)
    mapping(_required(described, path, name="schema"), f"{path}.schema")
    if described.get("strict") is not None:
        boolean(described["strict"], f"{path}.strict")
    if described.get("description") is not None:
        string(described["description"], f"{path}.description")


def _check_reference(value: object, path: str) -> None:
    tool = mapping(value, path)
    kind = choice(_required(tool, path, name="type"), f"{path}.type", of=_TOOL_TYPES)
    named = mapping(_required(tool, path, name=kind), f"{path}.{kind}")
    string(_required(named, f"{path}.{kind}", name="name"), f"{path}.{kind}.name", empty=False)


def _name_of(tool: dict[str, Any]) -> str:
    name: str = tool[tool["type"]]["name"]
    return name


def _required(parent: dict[str, Any], path: str, *, name: str) -> Any:
    value = parent.get(name)
    if value is None:
        missing(f"{path}.{name}")
    return value
