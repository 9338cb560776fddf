"""Builds a chat request with only the fields that the upstream documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.completion import ChatRequest, Json

_PLAIN_MEMBERS = frozenset({"role", "content", "tool_call_id"})


MESSAGE = frozenset({"role", "content", "name", "refusal", "audio", "tool_calls", "tool_call_id"})
PART = frozenset({"type", "text", "refusal", "image_url", "input_audio", "file"})
CALL = frozenset({"id", "type", "function", "custom"})
TOOL = frozenset({"type", "function", "custom"})
# Fields of nested objects, by the member that holds them. SDKs add members of their own, such as `parsed_arguments`.
NESTED_CALL = {"function": frozenset({"name", "arguments"}), "custom": frozenset({"name", "input"})}
NESTED_TOOL = {
    "function": frozenset({"name", "description", "parameters", "strict"}),
    "custom": frozenset({"name", "description", "format"}),
}
NESTED_FORMAT = {"json_schema": frozenset({"name", "description", "schema", "strict"})}
NESTED_PART = {
    "image_url": frozenset({"url", "detail"}),
    "input_audio": frozenset({"data", "format"}),
    "file": frozenset({"filename", "file_data", "file_id"}),
}


@dataclass(frozen=True, slots=True)
class AllowedFields:
    """The documented fields of a request, of its messages and their parts, and of its tools."""

    request: frozenset[str]
    message: frozenset[str] = MESSAGE
    part: frozenset[str] = PART
    tool: frozenset[str] = TOOL


# https://platform.openai.com/docs/api-reference/chat/create; messages and stream members are built separately.
OPENAI = AllowedFields(
    request=frozenset({
        "audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities",
        "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop",
        "store", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
    }),
    part=PART | {"prompt_cache_breakpoint"},
)  # fmt: skip


def chat_body(request: ChatRequest, model: str, *, allowed: AllowedFields) -> dict[str, Any]:
    """The body to send. Usage is always requested, because the cost must be known even where the client did not ask."""
    body: dict[str, Any] = {"model": model, "messages": chat_messages(request.messages, allowed=allowed)}
    body |= {name: value for name, value in request.body.items() if name in allowed.request}
    if not body.get("stop", True):
        del body["stop"]
    if "max_completion_tokens" in body:
        body.pop("max_tokens", None)
    if "tools" in body:
        body["tools"] = [_filter_nested(keep_allowed(tool, allowed.tool), NESTED_TOOL) for tool in body["tools"]]
    if "response_format" in body:
        body["response_format"] = _filter_nested(body["response_format"], NESTED_FORMAT)
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def chat_messages(messages: Iterable[Json], *, allowed: AllowedFields) -> list[Json]:
    return [
        # Fast path: a text message without further members.
        message
        if type(message.get("content")) is str and message.keys() <= _PLAIN_MEMBERS
        else _message(message, allowed)
        for message in messages
    ]


def keep_allowed(value: Json, known: frozenset[str]) -> Json:
    """`value` itself where all members are known and not null, else a copy of those that are."""
    if value.keys() <= known and None not in value.values():
        return value
    return {name: member for name, member in value.items() if name in known and member is not None}


def _message(message: Json, allowed: AllowedFields) -> Json:
    content = message.get("content")
    filtered = dict(keep_allowed(message, allowed.message))
    if isinstance(content, list):
        filtered["content"] = [_filter_nested(keep_allowed(part, allowed.part), NESTED_PART) for part in content]
    calls = filtered.pop("tool_calls", None)
    if calls:
        filtered["tool_calls"] = [_call(call) for call in calls]
    elif content is None:
        # A message with only reasoning: without extensions nothing is left that upstreams accept.
        filtered.setdefault("content", "")
    return filtered


def _call(call: Json) -> Json:
    """A filtered tool call; empty arguments become an empty object."""
    filtered = _filter_nested(keep_allowed(call, CALL), NESTED_CALL)
    function = filtered.get("function")
    return (
        filtered
        if not function or function.get("arguments")
        else {**filtered, "function": {**function, "arguments": "{}"}}
    )


def _filter_nested(value: Json, known: Mapping[str, frozenset[str]]) -> Json:
    """`value` with its nested objects reduced to documented fields."""
    filtered = value
    for name, allowed in known.items():
        nested = value.get(name)
        if isinstance(nested, dict) and (reduced := keep_allowed(nested, allowed)) is not nested:
            filtered = {**filtered, name: reduced}
    return filtered
