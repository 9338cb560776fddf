"""The chat completion's request and answer as JSON Schema; the rules themselves are in `gateway.dialects.chat_completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from gateway.api.openapi.json_schema import (
    ANYTHING,
    BOOLEAN,
    OBJECT,
    Schema,
    either,
    listed,
    mapped,
    named,
    nullable,
    number,
    one_of,
    record,
    strict,
    text,
    whole,
)
from gateway.completion import Cascading
from gateway.dialects.chat_completions.messages import MAX_MESSAGES
from gateway.dialects.chat_completions.parameters import MAX_STOPS
from gateway.dialects.chat_completions.tools import MAX_TOOLS, NAME
from gateway.dialects.routing_hints import MAX_TAG_VALUE, MAX_TAGS, TAG_NAME

_TOOL_NAME = text(pattern=f"^{NAME.pattern}$")
_SOME = text(minLength=1)
_NAMES = listed(_SOME, least=1, most=64)

_FUNCTION = record(
    {"name": _TOOL_NAME},
    optional={
        "description": nullable(text()),
        "parameters": nullable(OBJECT),
        "strict": nullable(BOOLEAN),
    },
)
_CUSTOM = record({"name": _TOOL_NAME}, optional={"description": nullable(text()), "format": nullable(OBJECT)})
_TOOL = either(
    record({"type": one_of("function"), "function": _FUNCTION}),
    record({"type": one_of("custom"), "custom": _CUSTOM}),
)
_REFERENCE = either(
    record({"type": one_of("function"), "function": record({"name": _SOME})}),
    record({"type": one_of("custom"), "custom": record({"name": _SOME})}),
)
_ALLOWED = record({"mode": one_of("auto", "required"), "tools": listed(_REFERENCE, least=1)})
_TOOL_CHOICE = either(
    one_of("none", "auto", "required"),
    _REFERENCE,
    record({"type": one_of("allowed_tools"), "allowed_tools": _ALLOWED}),
)
_JSON_SCHEMA = record(
    {"name": _TOOL_NAME, "schema": OBJECT},
    optional={"strict": nullable(BOOLEAN), "description": nullable(text())},
)
_RESPONSE_FORMAT = either(
    record({"type": one_of("text", "json_object")}),
    record({"type": one_of("json_schema"), "json_schema": _JSON_SCHEMA}),
)

_IMAGE = record(
    {"url": text("An https URL, which the provider fetches, or a base64 data URL.", pattern="^(data:|https?://)")},
    optional={"detail": nullable(one_of("auto", "low", "high", "original"))},
)
_FILE = {"file_data": text(minLength=1), "file_id": text(minLength=1), "filename": text()}
_TEXT_PART = record({"type": one_of("text"), "text": text()})
_PART = either(
    _TEXT_PART,
    record({"type": one_of("image_url"), "image_url": _IMAGE}),
    record({"type": one_of("input_audio"), "input_audio": record({"data": text(), "format": text()})}),
    record(
        {"type": one_of("file"), "file": {"type": "object", "properties": _FILE, "anyOf": [
            {"required": ["file_data"]}, {"required": ["file_id"]},
        ]}},
    ),
)  # fmt: skip
_TEXTS = either(text(), listed(_TEXT_PART, least=1))
_CALLED = record({"name": _SOME, "arguments": text()})
_TOOL_CALL = either(
    record({"id": _SOME, "type": one_of("function"), "function": _CALLED}),
    record({"id": _SOME, "type": one_of("custom"), "custom": record({"name": _SOME, "input": text()})}),
)
_REFUSAL = record({"type": one_of("refusal"), "refusal": text()})
_CACHE = {"cache_control": nullable(OBJECT)}
_NAME = {"name": nullable(text()), **_CACHE}
_MESSAGE = either(
    record({"role": one_of("system", "developer"), "content": _TEXTS}, optional=_NAME),
    record({"role": one_of("user"), "content": either(text(), listed(_PART, least=1))}, optional=_NAME),
    record({"role": one_of("tool"), "content": _TEXTS, "tool_call_id": _SOME}, optional=_CACHE),
    record({"role": one_of("function"), "name": _SOME}, optional={"content": nullable(text())}),
    record(
        {"role": one_of("assistant"), "content": either(text(), listed(either(_TEXT_PART, _REFUSAL), least=1))},
        optional={"tool_calls": nullable(listed(_TOOL_CALL)), "refusal": nullable(text()), **_NAME},
    ),
    record({"role": one_of("assistant"), "tool_calls": listed(_TOOL_CALL, least=1)}, optional=_NAME),
)

HINTS: Mapping[str, Schema] = {
    "max_cost": {"type": "number", "exclusiveMinimum": 0, "description": "USD that this request may cost."},
    "min_quality": number("The expected quality that the model must reach.", low=0, high=1),
    "providers": {**_NAMES, "description": "Choose among these providers only."},
    "models": {**_NAMES, "description": "Choose among these models only."},
    "session_id": text("The conversation that this request belongs to.", minLength=1, maxLength=256),
    "baseline": text("The model that savings are counted against.", minLength=1),
    "session_budget": {"type": "number", "exclusiveMinimum": 0, "description": "USD that the session may cost."},
    "latency": {
        **one_of("interactive", "background"),
        "description": "Whether the client can wait for a cheaper tier.",
    },
    "cascade": {
        **one_of(*get_args(Cascading)),
        "description": "What is done with the answer before it is sent; replaces the configured way.",
    },
    "agent_id": text("A subagent of the session; each has its own conversation.", minLength=1, maxLength=256),
    "tags": {
        "type": "object",
        "maxProperties": MAX_TAGS,
        "propertyNames": {"pattern": f"^{TAG_NAME.pattern}$"},
        "additionalProperties": text(minLength=1, maxLength=MAX_TAG_VALUE),
        "description": "Labels for reports.",
    },
}

_PENALTY = number(low=-2, high=2)
_TOKENS = whole(low=1)

MEMBERS: Mapping[str, Schema] = {
    "cache_control": {**OBJECT, "description": "Automatic caching, where the provider has it."},
    "audio": OBJECT,
    "frequency_penalty": _PENALTY,
    "function_call": either(one_of("none", "auto"), record({"name": _SOME})),
    "functions": listed(_FUNCTION, least=1, most=MAX_TOOLS),
    "image_config": {
        "type": "object",
        "properties": {"aspect_ratio": nullable(text()), "image_size": nullable(text())},
        "description": "OpenRouter's, for models that generate images.",
    },
    "include_reasoning": BOOLEAN,
    "logit_bias": mapped(number(low=-100, high=100)),
    "logprobs": BOOLEAN,
    "max_completion_tokens": _TOKENS,
    "max_tokens": _TOKENS,
    "metadata": {
        **mapped(text(maxLength=512)),
        "maxProperties": 16,
        "propertyNames": text(minLength=1, maxLength=64, pattern="^(?!__)[A-Za-z0-9._:/ -]+$"),
    },
    "min_p": number("OpenRouter's.", low=0, high=1),
    "modalities": listed(one_of("text", "audio", "image"), least=1),
    "models": {**_NAMES, "description": "OpenRouter's list of models to fall back on."},
    "moderation": OBJECT,
    "n": whole("How many answers.", low=1, high=128),
    "parallel_tool_calls": BOOLEAN,
    "prediction": OBJECT,
    "presence_penalty": _PENALTY,
    "prompt_cache_key": text(),
    "prompt_cache_options": OBJECT,
    "prompt_cache_retention": text(),
    "reasoning": OBJECT,
    "reasoning_effort": one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "repetition_penalty": number("OpenRouter's.", low=0, high=2),
    "response_format": _RESPONSE_FORMAT,
    "routing": {**strict({name: nullable(hint) for name, hint in HINTS.items()}), "description": "Never forwarded."},
    "safety_identifier": text(),
    "seed": whole(),
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": either(text(), listed(text(), most=MAX_STOPS)),
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": {
        "type": "object",
        "properties": {"include_usage": nullable(BOOLEAN), "include_obfuscation": nullable(BOOLEAN)},
    },
    "temperature": number(low=0, high=2),
    "tool_choice": _TOOL_CHOICE,
    "tools": listed(_TOOL, most=MAX_TOOLS),
    "top_a": number("OpenRouter's.", low=0, high=1),
    "top_k": whole("OpenRouter's; 0 and -1 mean no limit.", low=-1),
    "top_logprobs": whole(low=0, high=20),
    "top_p": number(low=0, high=1),
    "user": text(),
    "verbosity": one_of("low", "medium", "high"),
    "web_search_options": OBJECT,
}

REQUEST = record(
    {
        "model": text("`auto`, `auto:cheap`, `auto:quality`, or a model's name.", minLength=1),
        "messages": listed(named("ChatMessage"), least=1, most=MAX_MESSAGES),
    },
    optional={name: nullable(schema) for name, schema in MEMBERS.items()},
)
MESSAGE = _MESSAGE

_USD = nullable(number("USD"))
_COST_DETAILS = record(
    {
        "baseline_model": text(),
        "baseline_cost": _USD,
        "baseline_cost_low": _USD,
        "baseline_cost_high": _USD,
        "savings": _USD,
        "evidence": nullable(one_of("exact", "measured", "modelled", "unknown")),
    }
)
USAGE = record(
    {
        "prompt_tokens": whole(low=0),
        "completion_tokens": whole(low=0),
        "total_tokens": whole(low=0),
        "prompt_tokens_details": record({"cached_tokens": whole(low=0)}),
        "completion_tokens_details": record({"reasoning_tokens": whole(low=0)}),
        "cost": _USD,
        "cost_details": _COST_DETAILS,
    }
)
_IMAGE_OUT = record({"type": one_of("image_url"), "image_url": record({"url": text()})})
_AUDIO_OUT = record({"id": text(), "data": text("base64"), "transcript": text(), "expires_at": whole()})
_ANSWER = record(
    {"role": one_of("assistant"), "content": nullable(text()), "refusal": nullable(text())},
    optional={"images": listed(_IMAGE_OUT), "audio": _AUDIO_OUT, "annotations": listed(OBJECT)},
)
_CHOICE = record({"index": whole(low=0), "message": _ANSWER, "finish_reason": text(), "logprobs": ANYTHING})
COMPLETION = record(
    {
        "id": text(),
        "object": one_of("chat.completion"),
        "created": whole("Unix seconds", low=0),
        "model": text("The full name of the model that answered."),
        "choices": listed(_CHOICE, least=1),
    },
    optional={"usage": named("Usage")},
)
