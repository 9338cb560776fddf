"""A Claude message as a chat completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.completion import Completion, Json, UpstreamRequest, Usage, count
from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import SignatureCache
from gateway.providers.claude.code_fence import without_fence
from gateway.providers.claude.json_schema import renamed_keys
from gateway.providers.claude.sources import Sources
from gateway.providers.claude.thinking import thinking_detail
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
# Anthropic's names of the tier that served a request, as OpenAI calls them.
_TIERS = {"standard": "default", "priority": "priority"}


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """How to read the answer to one request: what the tools were renamed from, which of them stand for something else."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    custom: frozenset[str] = frozenset()
    properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    answer_tool: str | None = None
    bare_json: bool = False
    hide_reasoning: bool = False

    @classmethod
    def of(cls, sent: UpstreamRequest) -> ResponseContext:
        return cls(**sent.context) if sent.context else AS_IT_IS

    def is_answer(self, tool: str) -> bool:
        return self.answer_tool is not None and tool == self.answer_tool

    def takes_whole_input(self, tool: str) -> bool:
        """Whether a call has to be complete before it can be told."""
        return tool in self.custom or tool in self.properties

    def arguments(self, tool: str, given: Any) -> str:
        """The JSON text of an input; one that was cut short is text already."""
        if isinstance(given, str):
            return given
        return orjson.dumps(renamed_keys(given, self.properties.get(tool, {}))).decode()

    def call(self, id: str, tool: str, given: Any) -> dict[str, Any]:
        """OpenAI's object for a whole call."""
        name = self.renamed.get(tool, tool)
        if tool in self.custom:
            text = given.get(CUSTOM_INPUT) if isinstance(given, dict) else None
            written = text if isinstance(text, str) else self.arguments(tool, given)
            return {"id": id, "type": "custom", "custom": {"name": name, "input": written}}
        return {"id": id, "type": "function", "function": {"name": name, "arguments": self.arguments(tool, given)}}


AS_IT_IS = ResponseContext()


def completion_of(body: Json, sent: UpstreamRequest, *, signatures: SignatureCache, provider: str) -> Completion:
    """Raises UpstreamInvalidResponse for anything that is not a message; blocks without a place in OpenAI's shape are named in `dropped`."""
    content = body.get("content")
    if not isinstance(content, list):
        raise UpstreamInvalidResponse("The answer is not a Claude message.", provider=provider, upstream_status=200)
    reading = ResponseContext.of(sent)
    blocks = [block for block in content if isinstance(block, dict)]
    said, thought, calls, details = _read(blocks, reading, model=sent.model)
    sources = Sources()
    for block in blocks:
        sources.block(block)
    keep_thinking(signatures, calls=[call["id"] for call in calls], details=details)
    text = without_fence("".join(said)) if reading.bare_json else "".join(said)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not calls else None,
        "refusal": refusal_of(body),
    }
    if calls:
        message["tool_calls"] = calls
    if sources.annotations and not reading.bare_json:
        message["annotations"] = sources.annotations
    if not reading.hide_reasoning:
        message |= {"reasoning_content": "\n\n".join(thought)} if thought else {}
        message |= {"reasoning_details": details} if details else {}
    reason = finish_reason(body.get("stop_reason"), calls=bool(calls))
    usage = body.get("usage")
    id = body.get("id")
    return Completion(
        choices=[{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        usage=usage_of(usage),
        upstream_id=id if isinstance(id, str) else None,
        extra=extra_of(usage),
        dropped=sources.dropped,
    )


def refusal_of(ended: Json) -> str | None:
    """Why the model refused, where the answer or the event that ends it says so."""
    details = ended.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) and explanation else None


def _read(
    content: Sequence[Mapping[str, Any]], reading: ResponseContext, *, model: str
) -> tuple[list[str], list[str], list[dict[str, Any]], list[dict[str, Any]]]:
    """Texts, thinking texts, calls and `reasoning_details`, each in its order."""
    said: list[str] = []
    thought: list[str] = []
    calls: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for block in content:
        kind = block.get("type")
        if kind == "text":
            said.append(_text(block.get("text")))
        elif kind == "tool_use" and reading.is_answer(_text(block.get("name"))):
            said.append(reading.arguments(_text(block.get("name")), block.get("input") or {}))
        elif kind == "tool_use":
            calls.append(reading.call(_text(block.get("id")), _text(block.get("name")), block.get("input") or {}))
        else:
            detail = thinking_detail(block, index=len(details), model=model, calls=len(calls))
            details += [detail] if detail else []
            thought += [detail["text"]] if detail and detail.get("text") else []
    return said, thought, calls, details


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def keep_thinking(signatures: SignatureCache, *, calls: Sequence[str], details: Sequence[Json]) -> None:
    """Remembers the thinking before a message's calls, for clients that send back the calls alone."""
    if details:
        for call_id in calls:
            signatures.put(call_id, list(details))


def finish_reason(reason: Any, *, calls: bool) -> str:
    """OpenAI's reason; an unknown one counts as `stop`, calls of tools as `tool_calls` unless the answer was cut short."""
    told = _FINISH.get(reason, "stop") if isinstance(reason, str) else "stop"
    if told in ("stop", "tool_calls"):
        return "tool_calls" if calls else "stop"
    return told


def usage_of(raw: Any) -> Usage | None:
    """Anthropic counts tokens read from and written to the cache apart from `input_tokens`; OpenAI's prompt holds them all."""
    if not isinstance(raw, dict):
        return None
    fresh, completion = count(raw.get("input_tokens")), count(raw.get("output_tokens"))
    if fresh is None or completion is None:
        return None
    read = count(raw.get("cache_read_input_tokens")) or 0
    split = raw.get("cache_creation")
    split = split if isinstance(split, dict) else {}
    hour, minutes = (
        count(split.get("ephemeral_1h_input_tokens")) or 0,
        count(split.get("ephemeral_5m_input_tokens")) or 0,
    )
    told = count(raw.get("cache_creation_input_tokens"))
    written = hour + minutes if told is None else told
    hour = min(hour, written)
    details = raw.get("output_tokens_details")
    thought = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(
        prompt_tokens=fresh + read + written,
        completion_tokens=completion,
        cached_tokens=read,
        cache_write_tokens=written - hour,
        cache_write_1h_tokens=hour,
        reasoning_tokens=min(thought or 0, completion),
        raw=raw,
    )


def extra_of(usage: Any) -> dict[str, Any]:
    """`service_tier`, where the answer tells which one served it."""
    tier = usage.get("service_tier") if isinstance(usage, dict) else None
    return {"service_tier": _TIERS[tier]} if isinstance(tier, str) and tier in _TIERS else {}
