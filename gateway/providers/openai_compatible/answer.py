"""A whole answer of an OpenAI-speaking upstream, put in order: ids, reasons, reasoning, usage."""

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
_READ_APART = frozenset({"role", "content", "images", "reasoning", "reasoning_details", "tool_calls"})


def refuse_error(value: Json, *, provider: str, key: str) -> None:
    """Raises UpstreamError where an answer, an event or a choice tells of one although the status was 200."""
    if value.get("error"):
        raise classify_error_body(value["error"], provider=provider, key=key)
    if value.get("finish_reason") == "error":
        raise classify_error_body(f"{provider} ended its answer with an error.", provider=provider)


def objects(value: object) -> Iterable[dict[str, Any]]:
    """The objects of a JSON array; nothing if it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else ()


def choices_of(body: Json, *, provider: str, key: str, mark: Json) -> Sequence[Json]:
    """Raises UpstreamError when there is none, or one that failed. `mark` is added to each of the `reasoning_details`."""
    made = []
    for position, choice in enumerate(objects(body.get("choices"))):
        refuse_error(choice, provider=provider, key=key)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise UpstreamInvalidResponse(f"{provider} sent a choice without a message.", provider=provider)
        read = message_of(message, call_prefix=f"call_{body.get('id')}_{position}", mark=mark)
        reason = finish_reason(choice.get("finish_reason"), called="tool_calls" in read)
        made.append(
            {
                "index": position,
                "message": read,
                "logprobs": choice.get("logprobs"),
                "finish_reason": reason,
                **native_reason(choice.get("native_finish_reason")),
            }
        )
    if not made:
        raise UpstreamInvalidResponse(f"{provider} answered without choices.", provider=provider)
    return made


def message_of(given: Json, *, call_prefix: str, mark: Json) -> dict[str, Any]:
    content = given.get("content")
    message: dict[str, Any] = {"role": "assistant", "content": content if type(content) is str else text_of(content)}
    message |= {name: value for name, value in given.items() if value is not None and name not in _READ_APART}
    images = [*objects(given.get("images")), *images_of(content)]
    if images:
        message["images"] = images
    reasoning = reasoning_of(given)
    if reasoning:
        message["reasoning_content"] = reasoning
    if isinstance(given.get("reasoning_details"), list):
        details = enumerate(objects(given["reasoning_details"]))
        message["reasoning_details"] = [{"index": i, **detail, **mark} for i, detail in details]
    if given.get("tool_calls"):
        calls = [_call(call, own_id=f"{call_prefix}_{i}") for i, call in enumerate(objects(given["tool_calls"]))]
        message |= {"tool_calls": calls} if calls else {}
    return message


def reasoning_of(given: Json) -> str | None:
    """Upstreams call it `reasoning_content` or `reasoning`, some say it under both names; Mistral's stands in parts of the content."""
    for name in ("reasoning_content", "reasoning"):
        text = given.get(name)
        if isinstance(text, str) and text:
            return text
    return thoughts_of(given.get("content"))


def text_of(content: object) -> str | None:
    """A string, or (Mistral's way) a list of parts of which the texts count."""
    if isinstance(content, list):
        return "".join(part["text"] for part in objects(content) if isinstance(part.get("text"), str))
    return content if isinstance(content, str) else None


def thoughts_of(content: object) -> str | None:
    """The text of parts of the type `thinking`, each of which holds text parts: https://docs.mistral.ai/capabilities/reasoning"""
    parts = [part for part in objects(content) if part.get("type") == "thinking"]
    return "".join(text_of(part.get("thinking")) or "" for part in parts) or None


def images_of(content: object) -> list[dict[str, Any]]:
    """Pictures that stand in the content instead of beside it."""
    return [part for part in objects(content) if part.get("type") == "image_url"]


def unread_parts(content: object) -> list[str]:
    """The types of a content's parts that have no place in OpenAI's answer."""
    kinds = (part.get("type") for part in objects(content) if not isinstance(part.get("text"), str))
    return [str(kind) for kind in kinds if kind not in ("image_url", "thinking")]


def dropped_of(body: Json) -> list[str]:
    """Those of all choices of a whole answer."""
    messages = (choice.get("message") for choice in objects(body.get("choices")))
    return [kind for message in messages if isinstance(message, dict) for kind in unread_parts(message.get("content"))]


def argument_text(value: object) -> str:
    """A call's arguments are JSON in a string; some upstreams send the object itself."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def finish_reason(reason: object, *, called: bool) -> str:
    if isinstance(reason, str) and reason in REASONS:
        return reason
    return "tool_calls" if called else "stop"


def native_reason(reason: object) -> Json:
    """OpenRouter tells the reason of the provider behind it too: https://openrouter.ai/docs/api-reference/overview"""
    return {"native_finish_reason": reason} if isinstance(reason, str) else {}


def extra_of(body: Json) -> Json:
    return {name: body[name] for name in EXTRA if body.get(name) is not None}


def usage_of(raw: object, *, reported_cost: Callable[[Json], Decimal | None] | None = None) -> Usage | None:
    """None where no count is usable. What is told to be part of the prompt or completion is never more than the whole.

    `reported_cost` finds the cost in USD that the upstream itself tells.
    """
    if not isinstance(raw, dict):
        return None
    prompt, completion = count(raw.get("prompt_tokens")), count(raw.get("completion_tokens"))
    if prompt is None and completion is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    of_prompt, of_completion = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    cached = written = audio = reasoning = 0
    spoken = drawn = filmed = 0
    if isinstance(of_prompt, dict):
        cached = _part(of_prompt, "cached_tokens", whole=prompt)
        written = _part(of_prompt, "cache_write_tokens", whole=prompt - cached)
        audio = _part(of_prompt, "audio_tokens", whole=prompt)
    if isinstance(of_completion, dict):
        reasoning = _part(of_completion, "reasoning_tokens", whole=completion)
        spoken = _part(of_completion, "audio_tokens", whole=completion)
        drawn = _part(of_completion, "image_tokens", whole=completion)
        filmed = _part(of_completion, "video_tokens", whole=completion)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        prompt_audio_tokens=audio,
        completion_audio_tokens=spoken,
        completion_image_tokens=drawn,
        completion_video_tokens=filmed,
        reported_cost=None if reported_cost is None else reported_cost(raw),
        raw=raw,
    )


def _part(details: Json, name: str, *, whole: int) -> int:
    return min(count(details.get(name)) or 0, whole)


def _call(call: Json, *, own_id: str) -> dict[str, Any]:
    kind, text = ("custom", "input") if isinstance(call.get("custom"), dict) else ("function", "arguments")
    called = call.get(kind)
    called = called if isinstance(called, dict) else {}
    given_id = call.get("id")
    return {
        **call,
        "id": given_id if isinstance(given_id, str) and given_id else own_id,
        "type": kind,
        kind: {
            "name": str(called.get("name") or ""),
            text: argument_text(called.get(text)) or ("{}" if kind == "function" else ""),
        },
    }
