"""Encodes a whole response as Anthropic's message object."""

from __future__ import annotations

import re
from typing import Any

import orjson

from gateway.completion import ChatRequest, Completion, Json
from gateway.dialects.base import ResponseHead
from gateway.dialects.messages.thinking import THINKING_OFF, ReasoningCollector
from gateway.json_body import parse_embedded

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


class ToolIds:
    """Ids of tool calls as Anthropic's clients require them, unique within one answer."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def new(self, upstream_id: str) -> str:
        base = _NOT_IN_IDS.sub("_", upstream_id) or "toolu_0"
        id, number = base, 1
        while id in self._used:
            number += 1
            id = f"{base}_{number}"
        self._used.add(id)
        return id


def message_body(completion: Completion, head: ResponseHead, *, usage: Json) -> dict[str, Any]:
    """Claude's own object with the model's full name, or a message made of the first choice."""
    if completion.native is not None:
        return {**completion.native, "model": head.model}
    choice = completion.choices[0] if completion.choices else {}
    content = content_blocks(choice.get("message") or {}, head)
    return {
        "id": head.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": content,
        "stop_reason": STOP_REASONS.get(choice.get("finish_reason") or "stop", "end_turn"),
        "stop_sequence": None,
        "usage": anthropic_usage(usage),
    }


def content_blocks(message: Json, head: ResponseHead) -> list[dict[str, Any]]:
    """Thinking with its envelope, text, tool calls; never an empty text.

    A client that did not ask for thinking gets only the envelope that its tool calls need.
    """
    reasoning = ReasoningCollector(head.model)
    reasoning.add(message.get("reasoning_details") or ())
    ids, calls = ToolIds(), []
    for call in called_functions(message, head.request):
        id = ids.new(call.get("id") or "")
        reasoning.add_call(id, call)
        calls.append(_tool_use(id, call["function"]))
    asked = wants_thinking(head.request)
    thought = (message.get("reasoning_content") or "") if asked else ""
    blocks: list[dict[str, Any]] = []
    if thought:
        shown = "" if hides_thinking(head.request) else thought
        blocks.append({"type": "thinking", "thinking": shown, "signature": reasoning.seal()})
    elif reasoning.waiting and (asked or calls):
        blocks.append({"type": "redacted_thinking", "data": reasoning.seal()})
    text = message.get("content") or message.get("refusal")
    if text:
        blocks.append({"type": "text", "text": text})
    return [*blocks, *calls]


def called_functions(message: Json, request: ChatRequest) -> list[Json]:
    """The tool calls; only the first where the client wants one at a time, which not every upstream respects."""
    calls = [call for call in message.get("tool_calls") or () if isinstance(call.get("function"), dict)]
    return calls[:1] if wants_one_call(request) else calls


def wants_one_call(request: ChatRequest) -> bool:
    return request.body.get("parallel_tool_calls") is False


def wants_thinking(request: ChatRequest) -> bool:
    """Whether the client enabled thinking."""
    return _thinking(request).get("type") not in (None, *THINKING_OFF)


def hides_thinking(request: ChatRequest) -> bool:
    """Whether the client wants signatures without the text (`thinking.display`)."""
    return _thinking(request).get("display") == "omitted"


def _thinking(request: ChatRequest) -> Json:
    native = request.native
    return (native.body.get("thinking") if native is not None else None) or {}


def _tool_use(id: str, function: Json) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": function.get("name") or "", "input": _input(function)}


def _input(function: Json) -> Any:
    """The arguments as an object; text that is not a JSON object, such as arguments that were cut off, under `_raw`."""
    arguments = function.get("arguments") or "{}"
    try:
        value = parse_embedded(arguments)
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {"_raw": arguments}


def anthropic_usage(usage: Json) -> dict[str, Any]:
    """OpenAI's usage as Anthropic counts: cached tokens and those written to a cache are not part of `input_tokens`."""
    prompt = usage.get("prompt_tokens_details") or {}
    cached, written = prompt.get("cached_tokens") or 0, prompt.get("cache_write_tokens") or 0
    thinking = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    counts: dict[str, Any] = {
        "input_tokens": max(0, usage["prompt_tokens"] - cached - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"thinking_tokens": thinking},
    }
    return counts | {name: usage[name] for name in ("cost", "cost_details") if name in usage}
