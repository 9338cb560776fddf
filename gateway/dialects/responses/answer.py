"""The response object: what the request asked for, echoed, and what came of it.

https://platform.openai.com/docs/api-reference/responses/object. Every member that Open Responses requires is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.completion import Json
from gateway.errors import GatewayError

_FORMAT = {"type": "text"}
_FUNCTION = {"description": None, "parameters": None, "strict": None}
# Names that clients know; every other error is the server's.
_ERROR_CODES = frozenset({"context_length_exceeded", "insufficient_quota", "rate_limit_exceeded", "invalid_prompt"})
_CODE_BY_TYPE = {"insufficient_quota": "insufficient_quota", "rate_limit_error": "rate_limit_exceeded"}


def echoed(body: Json) -> dict[str, Any]:
    """The members of a response that repeat the request or its defaults."""
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    return {
        "background": False,
        "frequency_penalty": 0,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "presence_penalty": 0,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "temperature": body.get("temperature", 1),
        "text": {"format": text.get("format") or _FORMAT, "verbosity": text.get("verbosity") or "medium"},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": [{**_FUNCTION, **tool} if tool["type"] == "function" else tool for tool in body.get("tools") or ()],
        "top_logprobs": body.get("top_logprobs", 0),
        "top_p": body.get("top_p", 1),
        "truncation": "disabled",
        "user": body.get("user"),
    }


def response_head(
    id: str,
    created: int,
    model: str,
    *,
    status: str,
    completed_at: int | None = None,
    incomplete: str | None = None,
    error: GatewayError | None = None,
    usage: Json | None = None,
) -> dict[str, Any]:
    """The members of a response that are known at a moment, without `output`, `store` and what is echoed. Times are Unix seconds."""
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "completed_at": completed_at,
        "status": status,
        "error": None if error is None else response_error(error),
        "incomplete_details": None if incomplete is None else {"reason": incomplete},
        "model": model,
        "usage": None if usage is None else responses_usage(usage),
    }


def responses_usage(usage: Json) -> dict[str, Any]:
    """The usage object of this API from the one of chat completions, with the gateway's costs."""
    prompt, completion = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    counted = {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {
            "cached_tokens": prompt["cached_tokens"],
            "cache_write_tokens": prompt["cache_write_tokens"],
        },
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": completion["reasoning_tokens"]},
        "total_tokens": usage["total_tokens"],
    }
    return counted | {name: usage[name] for name in ("cost", "cost_details") if name in usage}


def response_error(error: GatewayError) -> dict[str, Any]:
    """The `error` of a failed response."""
    described: Mapping[str, Any] = error.body()["error"]
    code = described["code"]
    known = code if code in _ERROR_CODES else _CODE_BY_TYPE.get(described["type"], "server_error")
    return {"code": known, "message": described["message"]}


def status_of(finish_reason: str | None) -> tuple[str, str | None]:
    """The status of a whole answer, and why it is incomplete."""
    if finish_reason == "length":
        return "incomplete", "max_output_tokens"
    if finish_reason == "content_filter":
        return "incomplete", "content_filter"
    return "completed", None


def visible_items(items: Sequence[Json], *, encrypted: bool) -> list[Json]:
    """Items as clients see them: without `encrypted_content` where they did not ask for it, and without reasoning that is then empty."""
    if encrypted:
        return list(items)
    return [
        {name: value for name, value in item.items() if name != "encrypted_content"}
        for item in items
        if item["type"] != "reasoning" or item["summary"]
    ]
