"""Checks the parameters of a request by one table, and translates those that models take to chat completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.completion import Json
from gateway.dialects.chat_completions.parameters import check_metadata
from gateway.dialects.chat_completions.tools import NAME, check_schema
from gateway.dialects.responses.tools import ToolList, read_tool_choice
from gateway.field_checks import (
    boolean,
    choice,
    integer,
    invalid,
    mapping,
    matching,
    number,
    required,
    string,
    strings,
)

ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"


def check_parameters(body: dict[str, Any]) -> None:
    """Raises InvalidRequest for the first violation; unlisted members are not checked."""
    for name, value in body.items():
        check = _CHECKS.get(name)
        if check is not None:
            check(value, name)


def wants_encrypted(body: Json) -> bool:
    """Whether the client takes reasoning as an opaque string."""
    return ENCRYPTED in (body.get("include") or ())


def wants_summary(body: Json) -> bool:
    """Whether the client takes the text of reasoning."""
    reasoning = body.get("reasoning") or {}
    return reasoning.get("summary") is not None or reasoning.get("generate_summary") is not None


def chat_parameters(body: Json, tools: ToolList) -> dict[str, Any]:
    """The parameters for chat completions. Members that are only echoed, and unknown ones, are left out."""
    chat = {name: body[name] for name in _SAME if name in body}
    if "max_output_tokens" in body:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    if tools.chat:
        chat["tools"] = tools.chat
        if "parallel_tool_calls" in body:
            chat["parallel_tool_calls"] = body["parallel_tool_calls"]
    if "tool_choice" in body:
        tool_choice = read_tool_choice(body["tool_choice"], tools)
        if tools.chat:
            chat["tool_choice"] = tool_choice
    if _LOGPROBS in (body.get("include") or ()):
        chat["logprobs"] = True
        if "top_logprobs" in body:
            chat["top_logprobs"] = body["top_logprobs"]
    text = body.get("text") or {}
    if text.get("format") is not None and (form := _response_format(text["format"])) is not None:
        chat["response_format"] = form
    if text.get("verbosity") is not None:
        chat["verbosity"] = text["verbosity"]
    return chat | _reasoning(body)


def _reasoning(body: Json) -> dict[str, Any]:
    """An effort where the client names one; a wish to see thoughts asks for them."""
    effort = (body.get("reasoning") or {}).get("effort")
    shown = wants_summary(body) or wants_encrypted(body)
    if effort is not None:
        reasoning = {"effort": effort} if shown else {"effort": effort, "exclude": True}
        return {"reasoning_effort": effort, "reasoning": reasoning}
    return {"reasoning": {"enabled": True}} if shown else {}


def _response_format(form: Json) -> Json | None:
    kind = form["type"]
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    described = {name: form[name] for name in ("name", "description", "schema", "strict") if form.get(name) is not None}
    return {"type": "json_schema", "json_schema": described}


def _check_text(value: object, path: str) -> None:
    text = mapping(value, path)
    if text.get("verbosity") is not None:
        choice(text["verbosity"], f"{path}.verbosity", of=("low", "medium", "high"))
    if text.get("format") is None:
        return
    path = f"{path}.format"
    form = mapping(text["format"], path)
    kind = choice(required(form, path, name="type"), f"{path}.type", of=("text", "json_object", "json_schema"))
    if kind == "json_schema":
        matching(required(form, path, name="name"), f"{path}.name", pattern=NAME)
        check_schema(required(form, path, name="schema"), f"{path}.schema")
        if form.get("strict") is not None:
            boolean(form["strict"], f"{path}.strict")
        if form.get("description") is not None:
            string(form["description"], f"{path}.description")


def _check_reasoning(value: object, path: str) -> None:
    reasoning = mapping(value, path)
    if reasoning.get("effort") is not None:
        efforts = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
        choice(reasoning["effort"], f"{path}.effort", of=efforts)
    for name in ("summary", "generate_summary"):
        if reasoning.get(name) is not None:
            choice(reasoning[name], f"{path}.{name}", of=("auto", "concise", "detailed"))


def _check_background(value: object, path: str) -> None:
    if boolean(value, path):
        _refuse(value, path)


def _refuse(value: object, path: str) -> None:
    invalid(path, f"Unsupported parameter: '{path}' is not supported by this gateway.", code="unsupported_parameter")


# Members with the same name and meaning in chat completions. `prompt_cache_key` also names the session.
_SAME = (
    "metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier",
    "temperature", "top_p", "user",
)  # fmt: skip

_CHECKS: Mapping[str, Callable[[Any, str], object]] = {
    "background": _check_background,
    "conversation": _refuse,
    "include": partial(strings, most=64),
    "instructions": string,
    "max_output_tokens": partial(integer, low=1),
    "max_tool_calls": partial(integer, low=1),
    "metadata": check_metadata,
    "model": partial(string, empty=False),
    "parallel_tool_calls": boolean,
    "previous_response_id": partial(string, empty=False),
    "prompt": _refuse,
    "prompt_cache_key": string,
    "prompt_cache_options": mapping,
    "prompt_cache_retention": string,
    "reasoning": _check_reasoning,
    "safety_identifier": string,
    "service_tier": partial(choice, of=("auto", "default", "flex", "scale", "priority", "fast")),
    "store": boolean,
    "stream": boolean,
    "stream_options": mapping,
    "temperature": partial(number, low=0, high=2),
    "text": _check_text,
    "top_logprobs": partial(integer, low=0, high=20),
    "top_p": partial(number, low=0, high=1),
    "truncation": partial(choice, of=("auto", "disabled")),
    "user": string,
}
