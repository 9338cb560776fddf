"""Converts the top-level parameters, thinking included, to those of chat completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

from gateway.completion import Json
from gateway.dialects.chat_completions.parameters import MAX_STOPS
from gateway.dialects.chat_completions.tools import check_schema
from gateway.dialects.messages.media import required
from gateway.dialects.messages.native_only import NativeOnly
from gateway.dialects.messages.thinking import THINKING_OFF
from gateway.dialects.messages.tools import chat_tool_choice, chat_tools
from gateway.field_checks import array, choice, integer, mapping, missing, number, string

_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_NOT_THINKING: Json = {"effort": "none"}

Converter = Callable[[Any, str], dict[str, Any]]


def chat_parameters(body: Json, *, native: NativeOnly) -> dict[str, Any]:
    """The members beside model and messages. What other upstreams lack without harm is left out. Raises InvalidRequest."""
    if body.get("max_tokens") is None:
        missing("max_tokens")
    members: dict[str, Any] = {"max_tokens": integer(body["max_tokens"], "max_tokens", low=1)}
    for name, converter in _CONVERTERS.items():
        if body.get(name) is not None:
            members |= converter(body[name], name)
    members |= _reasoning(body) | _response_format(body)
    if body.get("tools") is not None and (tools := chat_tools(body["tools"], "tools", native=native)):
        members["tools"] = tools
    if body.get("tool_choice") is not None:
        chosen = chat_tool_choice(body["tool_choice"], "tool_choice")
        members |= chosen if "tools" in members else {}
    _note_native_only(body, native)
    return members


def _stops(value: object, path: str) -> dict[str, Any]:
    stops = [string(item, f"{path}[{i}]") for i, item in enumerate(array(value, path, most=MAX_STOPS))]
    return {"stop": stops} if stops else {}


def _user(value: object, path: str) -> dict[str, Any]:
    """A hash of the user id: Claude Code sends the ids of device, account and session in it."""
    user = mapping(value, path).get("user_id")
    if user is None:
        return {}
    return {"user": blake2b(string(user, f"{path}.user_id").encode(errors="replace"), digest_size=16).hexdigest()}


def _mark(value: object, path: str) -> dict[str, Any]:
    return {"cache_control": mapping(value, path)}


def _sampling(value: object, path: str, *, high: float) -> dict[str, Any]:
    return {path: number(value, path, low=0, high=high)}


def _top_k(value: object, path: str) -> dict[str, Any]:
    return {path: integer(value, path, low=0)}


_CONVERTERS: Mapping[str, Converter] = {
    "stop_sequences": _stops,
    "metadata": _user,
    "cache_control": _mark,
    "temperature": partial(_sampling, high=1),
    "top_p": partial(_sampling, high=1),
    "top_k": _top_k,
}


def _reasoning(body: Json) -> dict[str, Any]:
    """`thinking` and `output_config.effort` as `reasoning`; an effort that the gateway does not know is left to the model."""
    effort = mapping(body.get("output_config") or {}, "output_config").get("effort")
    if effort is not None and string(effort, "output_config.effort") not in _EFFORTS:
        effort = None
    if body.get("thinking") is None:
        return {} if effort is None else {"reasoning": {"effort": effort}}
    thinking = mapping(body["thinking"], "thinking")
    kind = string(required(thinking, "thinking", name="type"), "thinking.type")
    hidden = {}
    if thinking.get("display") is not None and string(thinking["display"], "thinking.display") == "omitted":
        hidden = {"exclude": True}
    if kind in THINKING_OFF:
        return {"reasoning": _NOT_THINKING}
    if kind == "enabled":
        budget = required(thinking, "thinking", name="budget_tokens")
        return {"reasoning": {"max_tokens": integer(budget, "thinking.budget_tokens", low=1), **hidden}}
    return {"reasoning": {**({"enabled": True} if effort is None else {"effort": effort}), **hidden}}


def _response_format(body: Json) -> dict[str, Any]:
    """`output_config.format`. The answer is the JSON as text in both APIs."""
    form = mapping(body.get("output_config") or {}, "output_config").get("format")
    if form is None:
        return {}
    path = "output_config.format"
    choice(required(mapping(form, path), path, name="type"), f"{path}.type", of=("json_schema",))
    schema = mapping(required(form, path, name="schema"), f"{path}.schema")
    check_schema(schema, f"{path}.schema")
    described = {"name": "output", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _note_native_only(body: Json, native: NativeOnly) -> None:
    """https://platform.claude.com/docs/en/about-claude/pricing for what costs extra."""
    for name in ("mcp_servers", "safeguards"):
        if body.get(name):
            native.needs_anthropic(name, f"`{name}`")
    for name, usual in (("speed", "standard"), ("inference_geo", "global")):
        if body.get(name) not in (None, usual):
            native.costs_extra(name)
