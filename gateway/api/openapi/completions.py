"""The request and answer of the old completions as JSON Schema; the rules themselves are in `gateway.dialects.completions`."""

from __future__ import annotations

from gateway.api.openapi.chat import MEMBERS
from gateway.api.openapi.json_schema import (
    ANYTHING,
    BOOLEAN,
    either,
    listed,
    named,
    nullable,
    one_of,
    record,
    text,
    whole,
)
from gateway.dialects.completions.request import MAX_LOGPROBS

_PROMPT = text(minLength=1)
_CHECKED = (
    "frequency_penalty", "logit_bias", "max_tokens", "n", "presence_penalty", "routing", "seed", "stop", "stream",
    "stream_options", "temperature", "top_p", "user",
)  # fmt: skip

REQUEST = record(
    {
        "model": text("`auto`, `auto:cheap`, `auto:quality`, or a model's name.", minLength=1),
        "prompt": either(_PROMPT, {**listed(_PROMPT, least=1), "maxItems": 1}),
    },
    optional={
        "best_of": nullable(whole("Supported where it equals `n`.", low=1, high=20)),
        "echo": nullable(BOOLEAN),
        "logprobs": nullable(whole(low=0, high=MAX_LOGPROBS)),
        **{name: nullable(MEMBERS[name]) for name in _CHECKED},
    },
)
_CHOICE = record(
    {
        "index": whole(low=0),
        "text": text(),
        "logprobs": ANYTHING,
        "finish_reason": one_of("stop", "length", "content_filter"),
    }
)
COMPLETION = record(
    {
        "id": text(),
        "object": one_of("text_completion"),
        "created": whole("Unix seconds", low=0),
        "model": text("The full name of the model that answered."),
        "choices": listed(_CHOICE, least=1),
        "usage": named("Usage"),
    }
)
