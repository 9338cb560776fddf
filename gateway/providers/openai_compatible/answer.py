"""Parses a chat completion of an OpenAI-compatible upstream and normalizes ids, finish reasons, reasoning and usage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson

from gateway.completion import Json, Usage, count
from gateway.errors import UpstreamInvalidResponse
from gateway.providers.errors import classify_error_body

REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
# `citations` and `search_results` are Perplexity's, `provider` is OpenRouter's name for who served the answer.
EXTRA = ("service_tier", "system_fingerprint", "citations", "search_results", "provider")
_PARSED_APART = frozenset({"role", "content", "images", "reasoning", "reasoning_details", "tool_calls"})


def raise_for_error(value: Json, *, provider: str, key: str) -> None:
    """Raises UpstreamError for an error inside a 200 response, an event or a choice."""
    if value.get("error"):
        raise classify_error_body(value["error"], provider=provider, key=key)
    if value.get("finish_reason") == "error":
        raise classify_error_body(f"{provider} ended its answer with an error.", provider=provider)


def objects(value: object) -> Iterable[dict[str, Any]]:
    """The objects in a JSON array; empty for any other value."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else ()


def parse_choices(body: Json, *, provider: str, key: str, detail_extra: Json) -> Sequence[Json]:
    """Parses the choices. `detail_extra` is added to each of the `reasoning_details`.

    Raises UpstreamError where there is no choice, or a failed one.
    """
    choices = []
    for position, choice in enumerate(objects(body.get("choices"))):
        raise_for_error(choice, provider=provider, key=key)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise UpstreamInvalidResponse(f"{provider} sent a choice without a message.", provider=provider)
        parsed = parse_message(message, call_prefix=f"call_{body.get('id')}_{position}", detail_extra=detail_extra)
        reason = finish_reason(choice.get("finish_reason"), called="tool_calls" in parsed)
        choices.append(
            {
                "index": position,
                "message": parsed,
                "logprobs": choice.get("logprobs"),
                "finish_reason": reason,
                **native_reason(choice.get("native_finish_reason")),
            }
        )
    if not choices:
        raise UpstreamInvalidResponse(f"{provider} answered without choices.", provider=provider)
    return choices


def parse_message(source: Json, *, call_prefix: str, detail_extra: Json) -> dict[str, Any]:
    content = source.get("content")
    message: dict[str, Any] = {"role": "assistant", "content": content if type(content) is str else text_of(content)}
    message |= {name: value for name, value in source.items() if value is not None and name not in _PARSED_APART}
    images = [*objects(source.get("images")), *images_of(content)]
    if images:
        message["images"] = images
    reasoning = reasoning_of(source)
    if reasoning:
        message["reasoning_content"] = reasoning
    if isinstance(source.get("reasoning_details"), list):
        details = enumerate(objects(source["reasoning_details"]))
        message["reasoning_details"] = [{"index": i, **detail, **detail_extra} for i, detail in details]
    if source.get("tool_calls"):
        calls = [_tool_call(call, own_id=f"{call_prefix}_{i}") for i, call in enumerate(objects(source["tool_calls"]))]
        message |= {"tool_calls": calls} if calls else {}
    return message


def reasoning_of(source: Json) -> str | None:
    """The reasoning text: from `reasoning_content` or `reasoning` (some upstreams send both), or from Mistral's content parts."""
    for name in ("reasoning_content", "reasoning"):
        text = source.get(name)
        if isinstance(text, str) and text:
            return text
    return thoughts_of(source.get("content"))


def text_of(content: object) -> str | None:
    """The text of a string, or of the text parts of a list, as Mistral sends it."""
    if isinstance(content, list):
        return "".join(part["text"] for part in objects(content) if isinstance(part.get("text"), str))
    return content if isinstance(content, str) else None


def thoughts_of(content: object) -> str | None:
    """The text inside parts of type `thinking`: https://docs.mistral.ai/capabilities/reasoning"""
    parts = [part for part in objects(content) if part.get("type") == "thinking"]
    return "".join(text_of(part.get("thinking")) or "" for part in parts) or None


def images_of(content: object) -> list[dict[str, Any]]:
    """Images inside the content, instead of beside it."""
    return [part for part in objects(content) if part.get("type") == "image_url"]


def unsupported_parts(content: object) -> list[str]:
    """The types of content parts that OpenAI's format cannot carry."""
    kinds = (part.get("type") for part in objects(content) if not isinstance(part.get("text"), str))
    return [str(kind) for kind in kinds if kind not in ("image_url", "thinking")]


def dropped_kinds(body: Json) -> list[str]:
    """The unsupported part types of all choices."""
    messages = (choice.get("message") for choice in objects(body.get("choices")))
    return [
        kind for message in messages if isinstance(message, dict) for kind in unsupported_parts(message.get("content"))
    ]


def argument_text(value: object) -> str:
    """A call's arguments as JSON text; some upstreams send the object itself."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def finish_reason(reason: object, *, called: bool) -> str:
    if isinstance(reason, str) and reason in REASONS:
        return reason
    return "tool_calls" if called else "stop"


def native_reason(reason: object) -> Json:
    """OpenRouter also sends the finish reason of the provider behind it: https://openrouter.ai/docs/api-reference/overview"""
    return {"native_finish_reason": reason} if isinstance(reason, str) else {}


def extra_of(body: Json) -> Json:
    return {name: body[name] for name in EXTRA if body.get(name) is not None}


def parse_usage(raw: object, *, reported_cost: Callable[[Json], Decimal | None] | None = None) -> Usage | None:
    """None without a usable count. Detail counts are limited to the total of the prompt or completion.

    `reported_cost` extracts the cost in USD that the upstream reports.
    """
    if not isinstance(raw, dict):
        return None
    prompt, completion = count(raw.get("prompt_tokens")), count(raw.get("completion_tokens"))
    if prompt is None and completion is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    of_prompt, of_completion = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    cached = written = audio_in = reasoning = 0
    audio_out = image_out = video_out = 0
    if isinstance(of_prompt, dict):
        cached = _detail_count(of_prompt, "cached_tokens", limit=prompt)
        written = _detail_count(of_prompt, "cache_write_tokens", limit=prompt - cached)
        audio_in = _detail_count(of_prompt, "audio_tokens", limit=prompt)
    if isinstance(of_completion, dict):
        reasoning = _detail_count(of_completion, "reasoning_tokens", limit=completion)
        audio_out = _detail_count(of_completion, "audio_tokens", limit=completion)
        image_out = _detail_count(of_completion, "image_tokens", limit=completion)
        video_out = _detail_count(of_completion, "video_tokens", limit=completion)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        prompt_audio_tokens=audio_in,
        completion_audio_tokens=audio_out,
        completion_image_tokens=image_out,
        completion_video_tokens=video_out,
        reported_cost=None if reported_cost is None else reported_cost(raw),
        raw=raw,
    )


def _detail_count(details: Json, name: str, *, limit: int) -> int:
    return min(count(details.get(name)) or 0, limit)


def _tool_call(call: Json, *, own_id: str) -> dict[str, Any]:
    kind, text = ("custom", "input") if isinstance(call.get("custom"), dict) else ("function", "arguments")
    function = call.get(kind)
    function = function if isinstance(function, dict) else {}
    given_id = call.get("id")
    return {
        **call,
        "id": given_id if isinstance(given_id, str) and given_id else own_id,
        "type": kind,
        kind: {
            "name": str(function.get("name") or ""),
            text: argument_text(function.get(text)) or ("{}" if kind == "function" else ""),
        },
    }
