"""Converts tools, `tool_choice` and tool calls for Claude; names and ids that the API rejects are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from gateway.completion import Json
from gateway.errors import InvalidRequest
from gateway.json_body import parse_embedded
from gateway.providers.claude.content import Block, cache_control_of
from gateway.providers.claude.json_schema import object_schema, rename_illegal_properties, rename_keys, validate_schema
from gateway.providers.claude.profiles import ClaudeProfile
from gateway.providers.claude.structured_output import UnsupportedSchema, strict_schema

# The API rejects requests with more strict tools.
MAX_STRICT_TOOLS = 20
CUSTOM_INPUT = "input"

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


class ToolCallIds:
    """Tool call ids that the API accepts, unique within a request even where the client repeats ids."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}  # last suffix used for an id, so that the search is linear

    def new(self, client_id: str) -> str:
        legal = base = _NOT_IN_NAMES.sub("_", client_id) or "call"
        number = self._numbers.get(base, 1)
        while legal in self._used:
            number += 1
            legal = f"{base}_{number}"
        self._numbers[base] = number
        self._used.add(legal)
        return legal


@dataclass(slots=True)
class ToolCalls:
    """Names of a request's tools upstream, for its history and for parsing the response.

    `renamed`: upstream name -> the client's name. `custom`: upstream names of custom tools. `properties`: upstream tool name
    -> upstream property name -> the client's name.
    """

    renamed: dict[str, str] = field(default_factory=dict)
    custom: set[str] = field(default_factory=set)
    properties: dict[str, dict[str, str]] = field(default_factory=dict)
    _legal: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def name(self, client_name: str) -> str:
        """The upstream name of a tool; the same for every call with this name."""
        if _NAME.fullmatch(client_name) and client_name not in self.renamed:
            return client_name
        if (known := self._legal.get(client_name)) is not None:
            return known
        legal = base = _NOT_IN_NAMES.sub("_", client_name[:120]) or "tool"
        number = self._numbers.get(base, 1)
        while self.renamed.get(legal, client_name) != client_name:
            number += 1
            legal = f"{base}_{number}"
        self._numbers[base] = number
        self._legal[client_name] = legal
        self.renamed[legal] = client_name
        return legal

    def block(self, call: Json, *, id: str, path: str) -> Block:
        """A tool call of the history as a `tool_use` block."""
        if call.get("type") == "custom":
            name = self.name(call["custom"]["name"])
            return {"type": "tool_use", "id": id, "name": name, "input": {CUSTOM_INPUT: call["custom"]["input"]}}
        name = self.name(call["function"]["name"])
        arguments = _arguments(call["function"].get("arguments"), f"{path}.function.arguments")
        if name in self.properties:
            arguments = rename_keys(arguments, {client: upstream for upstream, client in self.properties[name].items()})
        return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def _arguments(text: str | None, path: str) -> dict[str, Any]:
    if not text or text.isspace():
        return {}
    try:
        arguments = parse_embedded(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"Invalid '{path}': the arguments are not JSON ({error}).", param=path) from None
    # Some clients and models send `null` or a bare value for "no arguments".
    return arguments if isinstance(arguments, dict) else {} if arguments is None else {"value": arguments}


def build_tools(body: Json, *, profile: ClaudeProfile, calls: ToolCalls) -> list[dict[str, Any]]:
    """The allowed tools in Claude's format. Stores in `calls` how to parse calls of them."""
    tools = body.get("tools") or ()
    if not tools:
        return []
    # All names first, so that a name does not depend on which tools this request allows.
    names = {tool[tool["type"]]["name"]: calls.name(tool[tool["type"]]["name"]) for tool in tools}
    allowed = _allowed(body.get("tool_choice"))
    strict = (
        sum(bool(tool[tool["type"]].get("strict")) for tool in tools) <= MAX_STRICT_TOOLS and profile.structured_output
    )
    built = []
    for i, tool in enumerate(tools):
        definition = tool[tool["type"]]
        if allowed is not None and definition["name"] not in allowed:
            continue
        name = names[definition["name"]]
        if tool["type"] == "custom":
            built_tool = _custom(definition, name, calls)
        else:
            schema = object_schema(
                validate_schema(definition.get("parameters") or {}, f"tools[{i}].function.parameters")
            )
            built_tool = _function(definition, name, calls, schema=schema, strict=strict)
        cache_control = cache_control_of(tool) or cache_control_of(definition)
        built.append(built_tool if cache_control is None else {**built_tool, "cache_control": cache_control})
    return built


def _allowed(choice: Any) -> set[str] | None:
    if not isinstance(choice, Mapping) or choice["type"] != "allowed_tools":
        return None
    return {tool[tool["type"]]["name"] for tool in choice["allowed_tools"]["tools"]}


def _function(function: Json, name: str, calls: ToolCalls, *, schema: dict[str, Any], strict: bool) -> dict[str, Any]:
    built_tool: dict[str, Any] = {"name": name, "input_schema": schema}
    if function.get("description"):
        built_tool["description"] = function["description"]
    if strict and function.get("strict"):
        try:
            built_tool["input_schema"] = strict_schema(schema)
            built_tool["strict"] = True
        except UnsupportedSchema:
            # The model still sees the full schema; only the guarantee is lost.
            built_tool["input_schema"] = schema
    built_tool["input_schema"], renamed = rename_illegal_properties(built_tool["input_schema"])
    if renamed:
        calls.properties[name] = renamed
    return built_tool


def _custom(custom: Json, name: str, calls: ToolCalls) -> dict[str, Any]:
    """A custom (free-text) tool as a function with one string argument."""
    calls.custom.add(name)
    grammar = (custom.get("format") or {}).get("grammar") or {}
    texts = [custom.get("description") or ""]
    if grammar:
        texts.append(f"The input must match this {grammar.get('syntax', '')} grammar:\n{grammar.get('definition', '')}")
    schema = {"type": "object", "properties": {CUSTOM_INPUT: {"type": "string"}}, "required": [CUSTOM_INPUT]}
    built_tool: dict[str, Any] = {"name": name, "input_schema": schema}
    description = "\n\n".join(text for text in texts if text)
    return {**built_tool, "description": description} if description else built_tool


class ToolChoice(NamedTuple):
    """The offered tools, `tool_choice`, and an instruction for models that cannot be forced to call a tool."""

    tools: list[dict[str, Any]]
    choice: dict[str, Any] | None = None
    instruction: str | None = None

    @property
    def forced(self) -> bool:
        return self.choice is not None and self.choice["type"] in ("any", "tool")


def tool_choice(body: Json, tools: list[dict[str, Any]], *, profile: ClaudeProfile, calls: ToolCalls) -> ToolChoice:
    """`tool_choice` and `parallel_tool_calls`. A model that cannot be forced gets an instruction and only the tools it must use."""
    if not tools:
        return ToolChoice([])
    choice = body.get("tool_choice", "auto")
    one_call = body.get("parallel_tool_calls") is False
    if choice == "none":
        return ToolChoice(tools, {"type": "none"})
    named = calls.name(choice[choice["type"]]["name"]) if _names_a_tool(choice) else None
    required = choice == "required" or (_is(choice, "allowed_tools") and choice["allowed_tools"]["mode"] == "required")
    if named is None and not required:
        is_set = "tool_choice" in body or one_call
        return ToolChoice(tools, _with_parallel({"type": "auto"}, one_call) if is_set else None)
    if profile.forced_tools:
        choice = {"type": "any"} if named is None else {"type": "tool", "name": named}
        return ToolChoice(tools, _with_parallel(choice, one_call))
    if named is not None:
        tools = [tool for tool in tools if tool["name"] == named]
    tool_text = "one of the given tools" if named is None else f"the tool `{named}`"
    return ToolChoice(
        tools, _with_parallel({"type": "auto"}, one_call), f"You must call {tool_text} now. Do not answer in text."
    )


def _is(choice: Any, kind: str) -> bool:
    return isinstance(choice, Mapping) and choice["type"] == kind


def _names_a_tool(choice: Any) -> bool:
    return _is(choice, "function") or _is(choice, "custom")


def _with_parallel(choice: dict[str, Any], one_call: bool) -> dict[str, Any]:
    return {**choice, "disable_parallel_tool_use": True} if one_call else choice
