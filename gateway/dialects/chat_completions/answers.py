"""Encodes responses in OpenAI's format: a completion as a dict, a stream as server-sent events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.completion import Chunk, Completion, Json
from gateway.errors import GatewayError, error_event
from gateway.sse import COMMENT, DONE, encode, one_line

_OWN_MEMBERS = frozenset({"id", "object", "created", "model", "choices", "usage"})
# Members that every choice of a chunk has.
_CHOICE_DEFAULTS: Json = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}


def completion_body(
    completion: Completion,
    *,
    id: str,
    created: int,
    model: str,
    usage: Json | None,
    legacy_functions: bool,
) -> dict[str, Any]:
    """OpenAI's `chat.completion` object; `created` is in Unix seconds. `completion.extra` cannot replace its members."""
    body: dict[str, Any] = {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [_choice(choice, legacy_functions) for choice in completion.choices],
    }
    if usage is not None:
        body["usage"] = usage
    body.update(extra_members(completion.extra))
    return body


class ChunkWriter:
    """Encodes one stream's `chat.completion.chunk` events; id, creation time and model are the same in all.

    With `include_usage` every chunk has `"usage": null` and the last one the usage; without it none has `usage`.
    """

    keep_alive = COMMENT

    def __init__(self, *, id: str, created: int, model: str, include_usage: bool, legacy_functions: bool) -> None:
        head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + orjson.dumps(head)[:-1] + b',"choices":'
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        # The bytes around the text of a text-only chunk.
        self._before = self._head + b'[{"index":0,"delta":{"content":'
        self._after = b'},"finish_reason":null,"logprobs":null}]' + self._tail
        self._legacy = legacy_functions
        self._include_usage = include_usage

    def write(self, chunk: Chunk) -> bytes:
        """The chunk's event; empty for a chunk without choices, because clients read `choices[0]`."""
        if chunk.text is not None:
            return self._before + one_line(chunk.text) + self._after
        if not chunk.choices:
            return b""
        choices = [
            choice if choice.keys() >= _CHOICE_DEFAULTS.keys() else {**_CHOICE_DEFAULTS, **choice}
            for choice in chunk.choices
        ]
        if self._legacy:
            choices = [_legacy_choice(choice) for choice in choices]
        extra = extra_members(chunk.extra) if chunk.extra else None
        if extra:
            return self._head + one_line(choices) + b"," + one_line(extra)[1:-1] + self._tail
        return self._head + one_line(choices) + self._tail

    def usage(self, usage: Json, gateway: Json) -> bytes:
        """The event after the last choice: no choices, the usage of the stream, and `gateway` on who answered."""
        return self._head + b'[],"usage":' + one_line(usage) + b',"gateway":' + one_line(gateway) + b"}\n\n"

    def end(self, usage: Json, gateway: Json) -> bytes:
        """The usage event, where the client asked for it, and `[DONE]`."""
        return self.usage(usage, gateway) + DONE if self._include_usage else DONE

    def error(self, error: GatewayError) -> bytes:
        """The event for an error after the first byte."""
        return error_events(error)


def error_events(error: GatewayError) -> bytes:
    """The event for an error in a stream, whether anything came before it or not."""
    return encode(orjson.dumps(error_event(error)))


def extra_members(extra: Json) -> dict[str, Any]:
    return {name: value for name, value in extra.items() if name not in _OWN_MEMBERS}


def _choice(choice: Json, legacy_functions: bool) -> dict[str, Any]:
    source = choice["message"]
    message = {"role": "assistant", "content": source.get("content"), "refusal": source.get("refusal")}
    message.update((name, value) for name, value in source.items() if name not in message and value is not None)
    if not message.get("tool_calls"):
        message.pop("tool_calls", None)
    full_choice = {"index": 0, "logprobs": None, "finish_reason": "stop", **choice, "message": message}
    if legacy_functions and "tool_calls" in message:
        call = _first_function(message.pop("tool_calls"))
        if call is not None:
            message["function_call"] = call
    if legacy_functions:
        full_choice["finish_reason"] = _legacy_reason(full_choice["finish_reason"])
    return full_choice


def _legacy_choice(choice: Json) -> dict[str, Any]:
    """A choice of a chunk in the deprecated form, which can carry only the first call."""
    delta = {name: value for name, value in choice["delta"].items() if name != "tool_calls"}
    call = _first_function([call for call in choice["delta"].get("tool_calls") or () if call.get("index", 0) == 0])
    if call is not None:
        delta["function_call"] = call
    return {**choice, "delta": delta, "finish_reason": _legacy_reason(choice["finish_reason"])}


def _legacy_reason(reason: str | None) -> str | None:
    return "function_call" if reason == "tool_calls" else reason


def _first_function(calls: Sequence[Mapping[str, Any]]) -> Any:
    return next((call["function"] for call in calls if "function" in call), None)
