"""Tools, the choice of them and the calls in a history, in Claude's terms; names and ids that it refuses are changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from gateway.completion import Json
from gateway.errors import InvalidRequest
from gateway.json_body import parse_embedded
from gateway.providers.claude.content import Block, cache_mark
from gateway.providers.claude.json_schema import legal_properties, object_schema, renamed_keys, sound
from gateway.providers.claude.profiles import ClaudeProfile
from gateway.providers.claude.structured_output import UnsupportedSchema, strict_schema

# Strict tools beyond the first twenty are refused by the API.
MOST_STRICT_TOOLS = 20
CUSTOM_INPUT = "input"

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


class ToolCallIds:
    """The ids of a request's tool calls: legal for the API and each given once, however often clients repeat theirs."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._numbers: dict[str, int] = {}  # the last that was added to an id, so that none is tried again

    def new(self, client_id: str) -> str:
        legal = base = _NOT_IN_NAMES.sub("_", client_id) or "call"
        number = self._numbers.get(base, 1)
        while legal in self._given:
            number += 1
            legal = f"{base}_{number}"
        self._numbers[base] = number
        self._given.add(legal)
        return legal


@dataclass(slots=True)
class ToolCalls:
    """What the tools of a request are called upstream, for its history and for reading the answer.

    `renamed`: name upstream -> the client's. `custom`: names upstream of custom tools. `properties`: name upstream -> names of
    its properties upstream -> the client's.
    """

    renamed: dict[str, str] = field(default_factory=dict)
    custom: set[str] = field(default_factory=set)
    properties: dict[str, dict[str, str]] = field(default_factory=dict)
    _legal: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def name(self, client_name: str) -> str:
        """The legal name of a tool, the same each time it is asked for."""
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
        """A call of the history as a `tool_use` block."""
        if call.get("type") == "custom":
            name = self.name(call["custom"]["name"])
            return {"type": "tool_use", "id": id, "name": name, "input": {CUSTOM_INPUT: call["custom"]["input"]}}
        name = self.name(call["function"]["name"])
        arguments = _arguments(call["function"].get("arguments"), f"{path}.function.arguments")
        if name in self.properties:
            arguments = renamed_keys(arguments, {client: ours for ours, client in self.properties[name].items()})
        return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def _arguments(text: str | None, path: str) -> dict[str, Any]:
    if not text or text.isspace():
        return {}
    try:
        arguments = parse_embedded(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"Invalid '{path}': the arguments are not JSON ({error}).", param=path) from None
    # `null` and bare values: some clients and models write them for "none".
    return arguments if isinstance(arguments, dict) else {} if arguments is None else {"value": arguments}


def claude_tools(body: Json, *, profile: ClaudeProfile, calls: ToolCalls) -> list[dict[str, Any]]:
    """The request's tools that may be used now, as Claude defines them; notes in `calls` how to read calls of them."""
    tools = body.get("tools") or ()
    if not tools:
        return []
    # All names first, so that a name does not depend on which tools are allowed this time.
    names = {tool[tool["type"]]["name"]: calls.name(tool[tool["type"]]["name"]) for tool in tools}
    allowed = _allowed(body.get("tool_choice"))
    strict = (
        sum(bool(tool[tool["type"]].get("strict")) for tool in tools) <= MOST_STRICT_TOOLS and profile.structured_output
    )
    built = []
    for i, tool in enumerate(tools):
        given = tool[tool["type"]]
        if allowed is not None and given["name"] not in allowed:
            continue
        name = names[given["name"]]
        if tool["type"] == "custom":
            made = _custom(given, name, calls)
        else:
            schema = object_schema(sound(given.get("parameters") or {}, f"tools[{i}].function.parameters"))
            made = _function(given, name, calls, schema=schema, strict=strict)
        mark = cache_mark(tool) or cache_mark(given)
        built.append(made if mark is None else {**made, "cache_control": mark})
    return built


def _allowed(choice: Any) -> set[str] | None:
    if not isinstance(choice, Mapping) or choice["type"] != "allowed_tools":
        return None
    return {tool[tool["type"]]["name"] for tool in choice["allowed_tools"]["tools"]}


def _function(function: Json, name: str, calls: ToolCalls, *, schema: dict[str, Any], strict: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "input_schema": schema}
    if function.get("description"):
        made["description"] = function["description"]
    if strict and function.get("strict"):
        try:
            made["input_schema"] = strict_schema(schema)
            made["strict"] = True
        except UnsupportedSchema:
            # The model still sees the whole schema; only the guarantee is lost.
            made["input_schema"] = schema
    made["input_schema"], renamed = legal_properties(made["input_schema"])
    if renamed:
        calls.properties[name] = renamed
    return made


def _custom(custom: Json, name: str, calls: ToolCalls) -> dict[str, Any]:
    """A free-text tool as a function of one string."""
    calls.custom.add(name)
    grammar = (custom.get("format") or {}).get("grammar") or {}
    texts = [custom.get("description") or ""]
    if grammar:
        texts.append(f"The input must match this {grammar.get('syntax', '')} grammar:\n{grammar.get('definition', '')}")
    schema = {"type": "object", "properties": {CUSTOM_INPUT: {"type": "string"}}, "required": [CUSTOM_INPUT]}
    made: dict[str, Any] = {"name": name, "input_schema": schema}
    description = "\n\n".join(text for text in texts if text)
    return {**made, "description": description} if description else made


class ToolChoice(NamedTuple):
    """Which tools the request offers, its `tool_choice`, and what has to be said in words because the model takes no force."""

    tools: list[dict[str, Any]]
    choice: dict[str, Any] | None = None
    instruction: str | None = None

    @property
    def forced(self) -> bool:
        return self.choice is not None and self.choice["type"] in ("any", "tool")


def tool_choice(body: Json, tools: list[dict[str, Any]], *, profile: ClaudeProfile, calls: ToolCalls) -> ToolChoice:
    """`tool_choice` and `parallel_tool_calls`; a model that cannot be forced is told instead, and offered only what it must use."""
    if not tools:
        return ToolChoice([])
    asked = body.get("tool_choice", "auto")
    single = body.get("parallel_tool_calls") is False
    if asked == "none":
        return ToolChoice(tools, {"type": "none"})
    named = calls.name(asked[asked["type"]]["name"]) if _names_a_tool(asked) else None
    required = asked == "required" or (_is(asked, "allowed_tools") and asked["allowed_tools"]["mode"] == "required")
    if named is None and not required:
        said = "tool_choice" in body or single
        return ToolChoice(tools, _with_parallel({"type": "auto"}, single) if said else None)
    if profile.forced_tools:
        choice = {"type": "any"} if named is None else {"type": "tool", "name": named}
        return ToolChoice(tools, _with_parallel(choice, single))
    if named is not None:
        tools = [tool for tool in tools if tool["name"] == named]
    told = "one of the given tools" if named is None else f"the tool `{named}`"
    return ToolChoice(
        tools, _with_parallel({"type": "auto"}, single), f"You must call {told} now. Do not answer in text."
    )


def _is(choice: Any, kind: str) -> bool:
    return isinstance(choice, Mapping) and choice["type"] == kind


def _names_a_tool(choice: Any) -> bool:
    return _is(choice, "function") or _is(choice, "custom")


def _with_parallel(choice: dict[str, Any], single: bool) -> dict[str, Any]:
    return {**choice, "disable_parallel_tool_use": True} if single else choice
