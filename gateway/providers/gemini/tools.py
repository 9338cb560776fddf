"""Converts tool declarations, `tool_choice` and tool names to Gemini's, and names back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.completion import Json
from gateway.errors import InvalidRequest

# A letter or underscore first, then letters, digits and `_ . : -`, at most 128.
LEGAL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
ILLEGAL = re.compile(r"[^a-zA-Z0-9_.:-]")
# The only argument of the function that substitutes a custom tool.
CUSTOM_INPUT = "input"
FORBIDDEN = {"functionCallingConfig": {"mode": "NONE"}}


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of a request in Gemini's format. `upstream_names`: the client's name -> the name sent. `custom`: custom tools."""

    declarations: Sequence[Json] = ()
    config: Json = field(default_factory=dict)
    upstream_names: Mapping[str, str] = field(default_factory=dict)
    custom: frozenset[str] = frozenset()

    def name(self, name: str) -> str:
        return self.upstream_names.get(name, name)

    @property
    def forbidden(self) -> bool:
        return self.config == FORBIDDEN

    def renamed(self) -> dict[str, str]:
        """The names sent -> the client's names, where they differ."""
        return {upstream: client for client, upstream in self.upstream_names.items() if upstream != client}


NO_TOOLS = Tools()


def build_tools(body: Json, *, called: Iterable[str]) -> Tools:
    """The tools of a request body. `called`: function names in its messages."""
    called = [*called]
    if not called and not body.get("tools"):
        return NO_TOOLS
    declared = _declared(body.get("tools") or ())
    mode, allowed = _choice(body.get("tool_choice"), declared=frozenset(declared))
    upstream_names = _names([*declared, *called])
    custom = frozenset(name for name, tool in declared.items() if tool["type"] == "custom")
    if mode == "AUTO" and allowed is not None:
        # Gemini restricts names only where a call is required. Undeclared tools cannot be called either.
        declared = {name: tool for name, tool in declared.items() if name in allowed}
    declarations = [_declaration(tool, name=upstream_names[name]) for name, tool in declared.items()]
    if not declarations:
        return Tools(upstream_names=upstream_names)
    return Tools(
        declarations, _config(mode, allowed=[upstream_names[name] for name in allowed or ()]), upstream_names, custom
    )


def _declared(tools: Sequence[Any]) -> dict[str, Json]:
    """The tools by name, in order."""
    declared: dict[str, Json] = {}
    for index, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind not in ("function", "custom"):
            raise InvalidRequest(f"Gemini models take no tools of type {kind!r}.", param=f"tools[{index}].type")
        inner = tool.get(kind)
        name = inner.get("name") if isinstance(inner, Mapping) else None
        if not isinstance(name, str) or not name:
            raise InvalidRequest("A tool needs a name.", param=f"tools[{index}].{kind}.name")
        if declared.setdefault(name, tool) != tool:
            raise InvalidRequest(f"Two different tools have the name {name!r}.", param=f"tools[{index}].{kind}.name")
    return declared


def _names(names: Iterable[str]) -> dict[str, str]:
    """A legal, unique name for each; legal names stay as they are."""
    unique = dict.fromkeys(names)
    upstream_names = {name: name for name in unique if LEGAL_NAME.fullmatch(name)}
    taken = set(upstream_names)
    repeated: Counter[str] = Counter()
    for name in [name for name in unique if name not in upstream_names]:
        base = legal = "_" + ILLEGAL.sub("_", name[:100])
        while legal in taken:
            repeated[base] += 1
            legal = f"{base}_{repeated[base]}"
        upstream_names[name] = legal
        taken.add(legal)
    return upstream_names


def _declaration(tool: Json, *, name: str) -> Json:
    if tool["type"] == "custom":
        return _custom_declaration(tool["custom"], name=name)
    function = tool["function"]
    declaration: dict[str, Any] = {"name": name}
    if function.get("description"):
        declaration["description"] = function["description"]
    parameters = function.get("parameters")
    if parameters:
        declaration["parametersJsonSchema"] = (
            parameters if parameters.get("type") == "object" else {**parameters, "type": "object"}
        )
    return declaration


def _custom_declaration(tool: Json, *, name: str) -> Json:
    """A custom (free-text) tool as a function with one string argument; its grammar goes into the description."""
    described = [tool.get("description") or ""]
    form = tool.get("format") or {}
    if form.get("type") == "grammar":
        grammar = form.get("grammar") or form
        described.append(
            f"`{CUSTOM_INPUT}` must match this {grammar.get('syntax')} grammar:\n{grammar.get('definition')}"
        )
    schema = {"type": "object", "properties": {CUSTOM_INPUT: {"type": "string"}}, "required": [CUSTOM_INPUT]}
    description = "\n\n".join(filter(None, described))
    return {"name": name, **({"description": description} if description else {}), "parametersJsonSchema": schema}


def _choice(choice: Any, *, declared: frozenset[str]) -> tuple[str, list[str] | None]:
    """Gemini's mode, and the allowed names (None for all). Without tools the choice is ignored."""
    if choice is None or not declared:
        return "AUTO", None
    if isinstance(choice, str):
        mode = {"auto": "AUTO", "none": "NONE", "required": "ANY"}.get(choice)
        if mode is None:
            raise InvalidRequest(f"Unknown tool_choice {choice!r}.", param="tool_choice")
        return mode, None
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if kind == "allowed_tools":
        allowed = choice.get("allowed_tools") or {}
        names = [_chosen(tool, declared=declared) for tool in allowed.get("tools") or ()]
        return ("ANY" if allowed.get("mode") == "required" else "AUTO"), names
    return "ANY", [_chosen(choice, declared=declared)]


def _chosen(choice: Any, *, declared: frozenset[str]) -> str:
    """The name in `{"type": "function", "function": {"name": ...}}`, or the same with `custom`."""
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    inner = choice.get(kind) if kind in ("function", "custom") else None
    name = inner.get("name") if isinstance(inner, Mapping) else None
    if name not in declared:
        raise InvalidRequest(f"tool_choice names {name!r}, which is not among the tools.", param="tool_choice")
    return str(name)


def _config(mode: str, *, allowed: Sequence[str]) -> Json:
    if mode == "AUTO":
        return {}
    calling: dict[str, Any] = {"mode": mode}
    if allowed:
        calling["allowedFunctionNames"] = list(dict.fromkeys(allowed))
    return {"functionCallingConfig": calling}
