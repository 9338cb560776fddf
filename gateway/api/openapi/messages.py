"""Anthropic's Messages as JSON Schema, in short: what the gateway itself requires. Further members are Anthropic's to define."""

from __future__ import annotations

from gateway.api.openapi.chat import HINTS
from gateway.api.openapi.json_schema import (
    ANYTHING,
    BOOLEAN,
    OBJECT,
    either,
    listed,
    nullable,
    one_of,
    record,
    strict,
    text,
    whole,
)
from gateway.dialects.chat_completions.messages import MAX_MESSAGES
from gateway.dialects.chat_completions.tools import MAX_TOOLS

_BLOCK = record({"type": text()})
_TURN = record({"role": one_of("user", "assistant", "system"), "content": either(text(), listed(_BLOCK))})
_MODEL = text("`auto`, a full name, or a bare `claude-...`.", minLength=1)
_PROMPT = {"model": _MODEL, "messages": listed(_TURN, least=1, most=MAX_MESSAGES)}
_OPTIONAL = {
    "system": either(text(), listed(_BLOCK)),
    "tools": listed(OBJECT, most=MAX_TOOLS),
    "tool_choice": OBJECT,
    "thinking": OBJECT,
    "output_config": OBJECT,
}

REQUEST = record(
    {**_PROMPT, "max_tokens": whole(low=1)},
    optional={
        **_OPTIONAL,
        "stream": BOOLEAN,
        "routing": {
            **strict({name: nullable(hint) for name, hint in HINTS.items()}),
            "description": "Never forwarded.",
        },
    },
)
COUNT_REQUEST = record(_PROMPT, optional=_OPTIONAL)
MESSAGE = record(
    {
        "id": text(),
        "type": one_of("message"),
        "role": one_of("assistant"),
        "model": text("The full name of the model that answered."),
        "content": listed(_BLOCK),
        "stop_reason": nullable(text()),
        "stop_sequence": nullable(text()),
        "usage": record({"input_tokens": whole(low=0), "output_tokens": whole(low=0)}, optional={"cost": ANYTHING}),
    }
)
ERROR = record(
    {"type": one_of("error"), "error": record({"type": text(), "message": text()})}, optional={"request_id": text()}
)
