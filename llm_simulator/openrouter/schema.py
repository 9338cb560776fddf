"""The documented fields of OpenRouter's chat completions; anything else is rejected."""

from __future__ import annotations

import re
from typing import Any

from llm_simulator.validators import (
    Path,
    Problem,
    anything,
    array,
    boolean,
    integer,
    mapping,
    number,
    one_of,
    optional,
    record,
    string,
    tagged,
)

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def tool_name(value: Any, path: Path) -> str:
    text: str = string()(value, path)
    if not TOOL_NAME.fullmatch(text):
        raise Problem(path, "value", "Invalid string: must match pattern /^[a-zA-Z0-9_-]{1,64}$/")
    return text


def content_of(parts: Any) -> Any:
    """A string or a list of parts."""

    def check(value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return value
        return array(parts)(value, path)

    return check


CACHE = optional(record({"type": one_of("ephemeral"), "ttl": one_of("5m", "1h")}, required=("type",)))
TEXT = record({"type": anything, "text": string(), "cache_control": CACHE}, required=("text",))
PARTS = tagged(
    {
        "text": TEXT,
        "image_url": record(
            {
                "type": anything,
                "image_url": record(
                    {"url": string(least=1), "detail": one_of("auto", "low", "high", "original")}, required=("url",)
                ),
                "cache_control": CACHE,
            },
            required=("image_url",),
        ),
        "input_audio": record(
            {
                "type": anything,
                "input_audio": record({"data": string(least=1), "format": string()}, required=("data", "format")),
            },
            required=("input_audio",),
        ),
        "video_url": record({"type": anything, "video_url": record({"url": string(least=1)}, required=("url",))}),
        "file": record(
            {
                "type": anything,
                "file": record(
                    {"filename": string(), "file_data": string(), "file_id": string(), "file_url": string()}
                ),
                "cache_control": CACHE,
            },
            required=("file",),
        ),
    }
)
FUNCTION_CALL = record({"name": string(least=1), "arguments": string()}, required=("name", "arguments"))
TOOL_CALL = record(
    {"id": string(least=1), "type": one_of("function"), "function": FUNCTION_CALL, "index": integer(0)},
    required=("id", "type", "function"),
)
DETAIL = {"type": anything, "id": optional(string()), "format": optional(string()), "index": integer(0)}
REASONING_DETAILS = array(
    tagged(
        {
            "reasoning.text": record({**DETAIL, "text": optional(string()), "signature": optional(string())}),
            "reasoning.summary": record({**DETAIL, "summary": string()}),
            "reasoning.encrypted": record({**DETAIL, "data": string()}),
        }
    )
)
TEXT_CONTENT = content_of(tagged({"text": TEXT}))
MESSAGES = tagged(
    {
        "system": record({"role": anything, "content": TEXT_CONTENT, "name": string()}, required=("content",)),
        "developer": record({"role": anything, "content": TEXT_CONTENT, "name": string()}, required=("content",)),
        "user": record({"role": anything, "content": content_of(PARTS), "name": string()}, required=("content",)),
        "assistant": record(
            {
                "role": anything,
                "content": optional(content_of(PARTS)),
                "name": string(),
                "refusal": optional(string()),
                "tool_calls": optional(array(TOOL_CALL)),
                "reasoning": optional(string()),
                "reasoning_details": optional(REASONING_DETAILS),
            }
        ),
        "tool": record(
            {"role": anything, "content": content_of(PARTS), "tool_call_id": string(least=1), "name": string()},
            required=("content", "tool_call_id"),
        ),
    },
    key="role",
)
TOOL = tagged(
    {
        "function": record(
            {
                "type": anything,
                "function": record(
                    {"name": tool_name, "description": string(), "parameters": mapping, "strict": optional(boolean)},
                    required=("name",),
                ),
                "cache_control": CACHE,
            },
            required=("function",),
        )
    }
)
NAMED = record(
    {"type": one_of("function"), "function": record({"name": string()}, required=("name",))},
    required=("type", "function"),
)
EFFORT = one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")
JSON_SCHEMA = record(
    {"name": string(least=1, most=64), "description": string(), "schema": mapping, "strict": optional(boolean)},
    required=("name",),
)


def tool_choice(value: Any, path: Path) -> Any:
    return one_of("none", "auto", "required")(value, path) if isinstance(value, str) else NAMED(value, path)


def stop(value: Any, path: Path) -> list[str]:
    stops: list[str] = [value] if isinstance(value, str) else array(string(), most=4)(value, path)
    return stops


REQUEST = record(
    {
        "model": string(least=1),
        "models": array(string(least=1)),
        "messages": array(MESSAGES, least=1),
        "stream": optional(boolean),
        "stream_options": optional(record({"include_usage": boolean})),
        "max_tokens": optional(integer(1)),
        "max_completion_tokens": optional(integer(1)),
        "temperature": optional(number(0, 2)),
        "top_p": optional(number(0, 1)),
        "top_k": integer(0),
        "min_p": number(0, 1),
        "top_a": number(0, 1),
        "frequency_penalty": optional(number(-2, 2)),
        "presence_penalty": optional(number(-2, 2)),
        "repetition_penalty": number(0, 2),
        "seed": optional(integer()),
        "stop": optional(stop),
        "n": optional(integer(1, 8)),
        "logit_bias": optional(mapping),
        "logprobs": optional(boolean),
        "top_logprobs": optional(integer(0, 20)),
        "tools": array(TOOL),
        "tool_choice": tool_choice,
        "parallel_tool_calls": optional(boolean),
        "response_format": tagged(
            {
                "text": record({"type": anything}),
                "json_object": record({"type": anything}),
                "json_schema": record({"type": anything, "json_schema": JSON_SCHEMA}, required=("json_schema",)),
            }
        ),
        "structured_outputs": boolean,
        "reasoning": record(
            {
                "effort": optional(EFFORT),
                "max_tokens": optional(integer(1)),
                "exclude": boolean,
                "enabled": boolean,
                "summary": string(),
            }
        ),
        "reasoning_effort": optional(EFFORT),
        "include_reasoning": boolean,
        "verbosity": optional(one_of("low", "medium", "high", "xhigh", "max")),
        "user": string(),
        "safety_identifier": string(),
        "metadata": optional(mapping),
        "session_id": string(most=256),
        "trace": mapping,
        "provider": mapping,
        "plugins": array(mapping),
        "route": optional(one_of("fallback", "sort")),
        "transforms": array(string()),
        "usage": record({"include": boolean}),
        "modalities": optional(array(one_of("text", "image", "audio"))),
        "image_config": mapping,
        "audio": optional(mapping),
        "prediction": optional(mapping),
        "service_tier": optional(string()),
        "store": optional(boolean),
        "web_search_options": mapping,
        "prompt_cache_key": string(),
        "cache_control": CACHE,
        "debug": mapping,
    },
    required=("messages",),
)
