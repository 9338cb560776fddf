"""Parses a Claude message into a Completion: content, stop reason and usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.completion import Completion, Json, UpstreamRequest, Usage, count
from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import SignatureCache
from gateway.providers.claude.code_fence import strip_code_fence
from gateway.providers.claude.json_schema import rename_keys
from gateway.providers.claude.sources import Sources
from gateway.providers.claude.thinking import store_signatures, thinking_detail
from gateway.providers.claude.tools import CUSTOM_INPUT

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
# Anthropic's name of the service tier -> OpenAI's.
_TIERS = {"standard": "default", "priority": "priority"}


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """What is needed to parse the response to one request: renamed tools and properties, custom tools, the answer tool.

    `answer_tool` is the tool that emulates `response_format`. `bare_json`: a code fence around the text is removed.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    custom: frozenset[str] = frozenset()
    properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    answer_tool: str | None = None
    bare_json: bool = False
    hide_reasoning: bool = False

    @classmethod
    def of(cls, sent: UpstreamRequest) -> ResponseContext:
        return cls(**sent.context) if sent.context else DEFAULT_CONTEXT

    def is_answer_tool(self, tool: str) -> bool:
        return self.answer_tool is not None and tool == self.answer_tool

    def needs_complete_input(self, tool: str) -> bool:
        """Whether the input of a call must be complete before it can be passed on."""
        return tool in self.custom or tool in self.properties

    def arguments(self, tool: str, tool_input: Any) -> str:
        """The tool input as JSON text. An input that was cut off is text already."""
        if isinstance(tool_input, str):
            return tool_input
        return orjson.dumps(rename_keys(tool_input, self.properties.get(tool, {}))).decode()

    def call(self, id: str, tool: str, tool_input: Any) -> dict[str, Any]:
        """A complete tool call as OpenAI writes it."""
        name = self.renamed.get(tool, tool)
        if tool in self.custom:
            text = tool_input.get(CUSTOM_INPUT) if isinstance(tool_input, dict) else None
            written = text if isinstance(text, str) else self.arguments(tool, tool_input)
            return {"id": id, "type": "custom", "custom": {"name": name, "input": written}}
        return {"id": id, "type": "function", "function": {"name": name, "arguments": self.arguments(tool, tool_input)}}


DEFAULT_CONTEXT = ResponseContext()


def parse_completion(body: Json, sent: UpstreamRequest, *, signatures: SignatureCache, provider: str) -> Completion:
    """Raises UpstreamInvalidResponse for anything but a message. `dropped` names blocks that OpenAI's format cannot carry."""
    content = body.get("content")
    if not isinstance(content, list):
        raise UpstreamInvalidResponse("The answer is not a Claude message.", provider=provider, upstream_status=200)
    context = ResponseContext.of(sent)
    blocks = [block for block in content if isinstance(block, dict)]
    texts, thinking, calls, details = _read(blocks, context, model=sent.model)
    sources = Sources()
    for block in blocks:
        sources.block(block)
    store_thinking(signatures, calls=[call["id"] for call in calls], details=details)
    text = strip_code_fence("".join(texts)) if context.bare_json else "".join(texts)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": refusal_of(body),
    }
    if calls:
        message["tool_calls"] = calls
    if sources.annotations and not context.bare_json:
        message["annotations"] = sources.annotations
    if not context.hide_reasoning:
        message |= {"reasoning_content": "\n\n".join(thinking)} if thinking else {}
        message |= {"reasoning_details": details} if details else {}
    reason = finish_reason(body.get("stop_reason"), calls=bool(calls))
    usage = body.get("usage")
    id = body.get("id")
    return Completion(
        choices=[{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        usage=parse_usage(usage),
        upstream_id=id if isinstance(id, str) else None,
        extra=extra_of(usage),
        dropped=sources.dropped,
    )


def refusal_of(message: Json) -> str | None:
    """The explanation of a refusal, from a message or a message_delta; None without one."""
    details = message.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) and explanation else None


def _read(
    content: Sequence[Mapping[str, Any]], context: ResponseContext, *, model: str
) -> tuple[list[str], list[str], list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns texts, thinking texts, tool calls and `reasoning_details`, each in order."""
    texts: list[str] = []
    thinking: list[str] = []
    calls: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for block in content:
        kind = block.get("type")
        if kind == "text":
            texts.append(_text(block.get("text")))
        elif kind == "tool_use" and context.is_answer_tool(_text(block.get("name"))):
            texts.append(context.arguments(_text(block.get("name")), block.get("input") or {}))
        elif kind == "tool_use":
            calls.append(context.call(_text(block.get("id")), _text(block.get("name")), block.get("input") or {}))
        else:
            detail = thinking_detail(block, index=len(details), model=model, calls=len(calls))
            details += [detail] if detail else []
            thinking += [detail["text"]] if detail and detail.get("text") else []
    return texts, thinking, calls, details


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def store_thinking(signatures: SignatureCache, *, calls: Sequence[str], details: Sequence[Json]) -> None:
    """Cache the thinking blocks under the ids of the message's calls, for clients that send back only the calls."""
    if details:
        store_signatures(signatures, details)
        for call_id in calls:
            signatures.put(call_id, list(details))


def finish_reason(reason: Any, *, calls: bool) -> str:
    """OpenAI's finish reason. An unknown reason is `stop`; with tool calls it is `tool_calls`, unless the response was cut off."""
    finish = _FINISH.get(reason, "stop") if isinstance(reason, str) else "stop"
    if finish in ("stop", "tool_calls"):
        return "tool_calls" if calls else "stop"
    return finish


def parse_usage(raw: Any) -> Usage | None:
    """Anthropic excludes cache reads and writes from `input_tokens`; OpenAI's prompt tokens include them."""
    if not isinstance(raw, dict):
        return None
    uncached, completion = count(raw.get("input_tokens")), count(raw.get("output_tokens"))
    if uncached is None or completion is None:
        return None
    cache_read = count(raw.get("cache_read_input_tokens")) or 0
    split = raw.get("cache_creation")
    split = split if isinstance(split, dict) else {}
    hour, minutes = (
        count(split.get("ephemeral_1h_input_tokens")) or 0,
        count(split.get("ephemeral_5m_input_tokens")) or 0,
    )
    total_written = count(raw.get("cache_creation_input_tokens"))
    written = hour + minutes if total_written is None else total_written
    hour = min(hour, written)
    details = raw.get("output_tokens_details")
    thinking = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(
        prompt_tokens=uncached + cache_read + written,
        completion_tokens=completion,
        cached_tokens=cache_read,
        cache_write_tokens=written - hour,
        cache_write_1h_tokens=hour,
        reasoning_tokens=min(thinking or 0, completion),
        raw=raw,
    )


def extra_of(usage: Any) -> dict[str, Any]:
    """`service_tier`, where the response names it."""
    tier = usage.get("service_tier") if isinstance(usage, dict) else None
    return {"service_tier": _TIERS[tier]} if isinstance(tier, str) and tier in _TIERS else {}
