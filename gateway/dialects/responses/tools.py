"""Translates `tools` and `tool_choice` to chat completions, and names of called tools back.

Every tool becomes a function. A custom tool is a function with one string argument. The tools of a namespace keep their names,
unless another tool has the same one: then the namespace is put before it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from gateway.completion import Json
from gateway.dialects.chat_completions.tools import MAX_TOOL_VALUES, MAX_TOOLS, NAME, check_schema
from gateway.field_checks import array, boolean, choice, invalid, mapping, matching, required, shown, string, wrong_type

CUSTOM_INPUT = "input"  # the only argument of the function that stands for a custom tool
_WEB_SEARCH = "web_search"  # also `web_search_preview`, and both with a date
_DECLARED = ("function", "custom")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


class ClientTool(NamedTuple):
    """A tool as the client declared it."""

    name: str
    namespace: str | None = None
    custom: bool = False


@dataclass(slots=True)
class ToolNames:
    """The tools of a request by the names that models know them by."""

    tools: dict[str, ClientTool] = field(default_factory=dict)

    def declared(self, name: str) -> ClientTool:
        """The tool that a model called."""
        return self.tools.get(name) or ClientTool(name)

    def model_name(self, name: str, namespace: str | None) -> str | None:
        """The name that models know a declared tool by; without a namespace, one of that name in any. None for an unknown tool."""
        known = [
            sent
            for sent, tool in self.tools.items()
            if tool.name == name and (namespace is None or tool.namespace == namespace)
        ]
        return name if namespace is None and name in known else next(iter(known), None)


@dataclass(slots=True)
class ToolList:
    """The tools for chat completions, each with its path in the client's body; `dropped` are paths with types."""

    chat: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    names: ToolNames = field(default_factory=ToolNames)
    dropped: list[str] = field(default_factory=list)


def read_tools(value: object, path: str = "tools") -> ToolList:
    """Raises InvalidRequest for the first tool that is invalid or that the gateway does not run."""
    found: list[tuple[str, ClientTool, dict[str, Any]]] = []
    result = ToolList()
    for i, item in enumerate(array(value, path, most=MAX_TOOLS)):
        _read_tool(mapping(item, f"{path}[{i}]"), f"{path}[{i}]", found, result.dropped)
    if len(found) > MAX_TOOLS:
        invalid(path, f"Invalid '{path}': {len(found)} tools are too many. Expected at most {MAX_TOOLS}.")
    values = 0
    names = _names_sent([tool for _, tool, _ in found])
    for name, (place, tool, definition) in zip(names, found, strict=True):
        if name in result.names.tools:
            invalid(f"{place}.name", f"Invalid '{place}.name': another tool is named {shown(tool.name)}.")
        result.names.tools[name] = tool
        function, size = (_custom if tool.custom else _function)(definition, place, name)
        values += size
        result.chat.append({"type": "function", "function": function, **_mark(definition, place)})
        result.paths.append(place)
    if values > MAX_TOOL_VALUES:
        message = f"Invalid '{path}': the schemas hold {values} values together. Expected at most {MAX_TOOL_VALUES}."
        invalid(path, message, code="schema_too_large")
    return result


def _read_tool(
    tool: dict[str, Any], path: str, found: list[tuple[str, ClientTool, dict[str, Any]]], dropped: list[str]
) -> None:
    kind = string(required(tool, path, name="type"), f"{path}.type")
    if kind.startswith(_WEB_SEARCH):
        dropped.append(f"{path}:{kind}")
    elif kind in _DECLARED:
        found.append((path, ClientTool(_name(tool, path), custom=kind == "custom"), tool))
    elif kind == "namespace":
        namespace = string(required(tool, path, name="name"), f"{path}.name", empty=False)
        for i, item in enumerate(array(required(tool, path, name="tools"), f"{path}.tools", most=MAX_TOOLS)):
            place = f"{path}.tools[{i}]"
            inner = mapping(item, place)
            kind = choice(required(inner, place, name="type"), f"{place}.type", of=_DECLARED)
            found.append((place, ClientTool(_name(inner, place), namespace, kind == "custom"), inner))
    else:
        message = (
            f"Invalid '{path}.type': the gateway has no tool of type {shown(kind)}. Supported are 'function', 'custom' and "
            "'namespace'; 'web_search' is left out."
        )
        invalid(f"{path}.type", message, code="unsupported_tool")


def _name(tool: dict[str, Any], path: str) -> str:
    return matching(required(tool, path, name="name"), f"{path}.name", pattern=NAME)


def _described(tool: dict[str, Any], path: str) -> str:
    return "" if tool.get("description") is None else string(tool["description"], f"{path}.description")


def _function(tool: dict[str, Any], path: str, name: str) -> tuple[dict[str, Any], int]:
    """The function, and the number of values in its schema."""
    function: dict[str, Any] = {"name": name}
    values = 0
    if description := _described(tool, path):
        function["description"] = description
    if tool.get("parameters") is not None:
        values = check_schema(tool["parameters"], f"{path}.parameters")
        function["parameters"] = tool["parameters"]
    if tool.get("strict") is not None:
        function["strict"] = boolean(tool["strict"], f"{path}.strict")
    return function, values


def _custom(tool: dict[str, Any], path: str, name: str) -> tuple[dict[str, Any], int]:
    texts = [_described(tool, path)]
    if tool.get("format") is not None:
        form = mapping(tool["format"], f"{path}.format")
        if (
            choice(required(form, f"{path}.format", name="type"), f"{path}.format.type", of=("text", "grammar"))
            == "grammar"
        ):
            syntax = string(required(form, f"{path}.format", name="syntax"), f"{path}.format.syntax")
            grammar = string(required(form, f"{path}.format", name="definition"), f"{path}.format.definition")
            texts.append(f"`{CUSTOM_INPUT}` must match this {syntax} grammar:\n{grammar}")
    schema = {
        "type": "object",
        "properties": {CUSTOM_INPUT: {"type": "string"}},
        "required": [CUSTOM_INPUT],
        "additionalProperties": False,
    }
    function: dict[str, Any] = {"name": name, "parameters": schema}
    if description := "\n\n".join(filter(None, texts)):
        function["description"] = description
    return function, 1


def custom_arguments(text: str) -> str:
    """The arguments of the function that stands for a custom tool."""
    return orjson.dumps({CUSTOM_INPUT: text}).decode()


def custom_input(arguments: str) -> str:
    """The input of a custom tool in the arguments of its function; the arguments themselves where they are something else."""
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    text = parsed.get(CUSTOM_INPUT) if isinstance(parsed, dict) else None
    return text if isinstance(text, str) else arguments


def read_tool_choice(value: object, tools: ToolList, path: str = "tool_choice") -> Any:
    """`tool_choice` for chat completions. Raises InvalidRequest for a tool that is not declared or not run."""
    if isinstance(value, str):
        if choice(value, path, of=("none", "auto", "required")) == "required" and not tools.chat:
            invalid(path, f"'{path}' can only ask for a tool when 'tools' are given.")
        return value
    if not isinstance(value, dict):
        wrong_type(value, path, expected="a string or an object")
    kind = string(required(value, path, name="type"), f"{path}.type")
    if kind in _DECLARED:
        return _reference(value, tools.names, path)
    if kind != "allowed_tools":
        message = f"Invalid '{path}': the gateway cannot call a tool of type {shown(kind)}."
        invalid(path, message, code="unsupported_tool")
    return _allowed(value, tools, path)


def _allowed(value: dict[str, Any], tools: ToolList, path: str) -> Any:
    mode = choice(required(value, path, name="mode"), f"{path}.mode", of=("auto", "required"))
    allowed = []
    for i, item in enumerate(array(required(value, path, name="tools"), f"{path}.tools", least=1, most=MAX_TOOLS)):
        place = f"{path}.tools[{i}]"
        tool = mapping(item, place)
        kind = string(required(tool, place, name="type"), f"{place}.type")
        if kind in _DECLARED:
            allowed.append(_reference(tool, tools.names, place))
        elif not kind.startswith(_WEB_SEARCH):
            invalid(
                place, f"Invalid '{place}': the gateway has no tool of type {shown(kind)}.", code="unsupported_tool"
            )
    if allowed:
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}
    if mode == "required":
        invalid(path, f"Invalid '{path}': none of the allowed tools is run here.", code="unsupported_tool")
    return "none"


def _reference(value: dict[str, Any], names: ToolNames, path: str) -> Json:
    name = string(required(value, path, name="name"), f"{path}.name", empty=False)
    namespace = value.get("namespace")
    if namespace is not None:
        string(namespace, f"{path}.namespace")
    known = names.model_name(name, namespace)
    if known is None:
        invalid(path, f"Invalid '{path}': no tool named {shown(name)} is given.")
    return {"type": "function", "function": {"name": known}}


def _mark(tool: Mapping[str, Any], path: str) -> Json:
    """The client's cache mark on a tool."""
    mark = tool.get("cache_control")
    return {} if mark is None else {"cache_control": mapping(mark, f"{path}.cache_control")}


def tool_names(body: Json) -> ToolNames:
    """The names of a body that was checked before."""
    tools = body.get("tools")
    if not tools:
        return ToolNames()
    declared: list[ClientTool] = []
    for tool in tools:
        inner = tool["tools"] if tool["type"] == "namespace" else [tool]
        namespace = tool["name"] if tool["type"] == "namespace" else None
        declared += [ClientTool(t["name"], namespace, t["type"] == "custom") for t in inner if t["type"] in _DECLARED]
    return ToolNames(dict(zip(_names_sent(declared), declared, strict=True)))


def _names_sent(tools: Sequence[ClientTool]) -> list[str]:
    """The names for models, one for each tool."""
    repeated = Counter(tool.name for tool in tools)
    return [
        tool.name
        if tool.namespace is None or repeated[tool.name] == 1
        else _NOT_IN_NAMES.sub("_", f"{tool.namespace}__{tool.name}")[-64:]
        for tool in tools
    ]
