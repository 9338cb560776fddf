"""Converts `tools` and `tool_choice` to those of chat completions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.completion import Json
from gateway.dialects.chat_completions.tools import MAX_TOOL_VALUES, MAX_TOOLS, check_schema
from gateway.dialects.messages.media import required
from gateway.dialects.messages.native_only import NativeOnly
from gateway.field_checks import array, boolean, choice, invalid, mapping, matching, string

NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Tools that the client runs: Anthropic charges nothing but their tokens. All others may have prices of their own.
_RUN_BY_CLIENT = re.compile(r"(?:bash|text_editor|memory|computer)_\d+")
_MODES: Mapping[str, str] = {"auto": "auto", "any": "required", "none": "none"}


def chat_tools(value: object, path: str, *, native: NativeOnly) -> list[dict[str, Any]]:
    """Custom tools as functions. Tools of Anthropic's own are left out and noted in `native`."""
    converted, values = [], 0
    for index, item in enumerate(array(value, path, most=MAX_TOOLS)):
        place = f"{path}[{index}]"
        tool = mapping(item, place)
        kind = tool.get("type")
        if kind is not None and string(kind, f"{place}.type") != "custom":
            native.needs_anthropic(f"{place}.type", f"a tool of type {kind[:60]!r}")
            if not _RUN_BY_CLIENT.fullmatch(kind):
                native.costs_extra(place)
            continue
        function, size = _function(tool, place)
        values += size
        mark = tool.get("cache_control")
        marked = {} if mark is None else {"cache_control": mapping(mark, f"{place}.cache_control")}
        converted.append({"type": "function", "function": function, **marked})
    if values > MAX_TOOL_VALUES:
        message = f"Invalid '{path}': the schemas hold {values} values together. Expected at most {MAX_TOOL_VALUES}."
        invalid(path, message, code="schema_too_large")
    return converted


def _function(tool: Json, path: str) -> tuple[dict[str, Any], int]:
    """The function, and the number of values in its schema."""
    name = matching(required(tool, path, name="name"), f"{path}.name", pattern=NAME)
    schema = mapping(required(tool, path, name="input_schema"), f"{path}.input_schema")
    size = check_schema(schema, f"{path}.input_schema")
    function: dict[str, Any] = {"name": name, "parameters": schema}
    if tool.get("description") is not None:
        function["description"] = string(tool["description"], f"{path}.description")
    if tool.get("strict") is not None:
        function["strict"] = boolean(tool["strict"], f"{path}.strict")
    return function, size


def chat_tool_choice(value: object, path: str) -> dict[str, Any]:
    """The members `tool_choice` and `parallel_tool_calls`."""
    chosen = mapping(value, path)
    kind = choice(required(chosen, path, name="type"), f"{path}.type", of=(*_MODES, "tool"))
    if kind == "tool":
        name = string(required(chosen, path, name="name"), f"{path}.name", empty=False)
        members: dict[str, Any] = {"tool_choice": {"type": "function", "function": {"name": name}}}
    else:
        members = {"tool_choice": _MODES[kind]}
    single = chosen.get("disable_parallel_tool_use")
    if single is not None and boolean(single, f"{path}.disable_parallel_tool_use"):
        members["parallel_tool_calls"] = False
    return members
