"""A chat request with only the members that an upstream documents; what it does not know is never sent to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.completion import ChatRequest, Json

_PLAIN = frozenset({"role", "content", "tool_call_id"})


MESSAGE = frozenset({"role", "content", "name", "refusal", "audio", "tool_calls", "tool_call_id"})
PART = frozenset({"type", "text", "refusal", "image_url", "input_audio", "file"})
CALL = frozenset({"id", "type", "function", "custom"})
TOOL = frozenset({"type", "function", "custom"})
# Of the objects below those, by the member that holds them. SDKs add members of their own, as `parsed_arguments`.
BELOW_CALL = {"function": frozenset({"name", "arguments"}), "custom": frozenset({"name", "input"})}
BELOW_TOOL = {
    "function": frozenset({"name", "description", "parameters", "strict"}),
    "custom": frozenset({"name", "description", "format"}),
}
BELOW_FORMAT = {"json_schema": frozenset({"name", "description", "schema", "strict"})}
BELOW_PART = {
    "image_url": frozenset({"url", "detail"}),
    "input_audio": frozenset({"data", "format"}),
    "file": frozenset({"filename", "file_data", "file_id"}),
}


@dataclass(frozen=True, slots=True)
class AllowedFields:
    """The documented members of a request, of its messages and their parts, and of its tools."""

    request: frozenset[str]
    message: frozenset[str] = MESSAGE
    part: frozenset[str] = PART
    tool: frozenset[str] = TOOL


# https://platform.openai.com/docs/api-reference/chat/create; messages and the stream's members are written apart.
OPENAI = AllowedFields(
    request=frozenset({
        "audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities",
        "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop",
        "store", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
    }),
    part=PART | {"prompt_cache_breakpoint"},
)  # fmt: skip


def chat_body(request: ChatRequest, model: str, *, members: AllowedFields) -> dict[str, Any]:
    """The body to send. Usage is always asked for: cost has to be known also when the client does not ask."""
    body: dict[str, Any] = {"model": model, "messages": chat_messages(request.messages, members=members)}
    body |= {name: value for name, value in request.body.items() if name in members.request}
    if not body.get("stop", True):
        del body["stop"]
    if "max_completion_tokens" in body:
        body.pop("max_tokens", None)
    if "tools" in body:
        body["tools"] = [_below(only(tool, members.tool), BELOW_TOOL) for tool in body["tools"]]
    if "response_format" in body:
        body["response_format"] = _below(body["response_format"], BELOW_FORMAT)
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def chat_messages(messages: Iterable[Json], *, members: AllowedFields) -> list[Json]:
    return [
        # What most messages are: a text, and nothing beside it that could be foreign.
        message if type(message.get("content")) is str and message.keys() <= _PLAIN else _message(message, members)
        for message in messages
    ]


def only(value: Json, known: frozenset[str]) -> Json:
    """`value` itself if all its members are known, else a copy of those that are; nulls are left out."""
    if value.keys() <= known and None not in value.values():
        return value
    return {name: member for name, member in value.items() if name in known and member is not None}


def _message(message: Json, members: AllowedFields) -> Json:
    content = message.get("content")
    made = dict(only(message, members.message))
    if isinstance(content, list):
        made["content"] = [_below(only(part, members.part), BELOW_PART) for part in content]
    calls = made.pop("tool_calls", None)
    if calls:
        made["tool_calls"] = [_call(call) for call in calls]
    elif content is None:
        # An answer of reasoning alone: without its extensions nothing is left that upstreams would accept.
        made.setdefault("content", "")
    return made


def _call(call: Json) -> Json:
    """A call of a function without arguments has an empty object for them."""
    made = _below(only(call, CALL), BELOW_CALL)
    function = made.get("function")
    return made if not function or function.get("arguments") else {**made, "function": {**function, "arguments": "{}"}}


def _below(value: Json, known: Mapping[str, frozenset[str]]) -> Json:
    """`value` with the objects it holds reduced to their documented members."""
    made = value
    for name, members in known.items():
        below = value.get(name)
        if isinstance(below, dict) and (reduced := only(below, members)) is not below:
            made = {**made, name: reduced}
    return made
