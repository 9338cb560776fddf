"""OpenAI's Responses as JSON Schema: the members that must be there; OpenAI's own description has all of them."""

from __future__ import annotations

from gateway.api.openapi.chat import MEMBERS
from gateway.api.openapi.json_schema import (
    BOOLEAN,
    OBJECT,
    Schema,
    either,
    listed,
    nullable,
    number,
    one_of,
    record,
    text,
    whole,
)
from gateway.dialects.responses.items import MAX_ITEMS

_MESSAGE = record({"role": one_of("user", "assistant", "system", "developer"), "content": text(minLength=1)})
_RESULT = record({"type": one_of("function_call_output"), "call_id": text(minLength=1), "output": text()})
_ITEM = either(_MESSAGE, _RESULT, {**OBJECT, "description": "OpenAI's other items."})
_TOOL = record({"type": one_of("function", "custom", "namespace", "web_search")}, optional={"name": text(minLength=1)})
_USD = nullable(number("USD"))

REQUEST = record(
    {
        "model": text("`auto`, `auto:cheap`, `auto:quality`, or a model's name.", minLength=1),
        "input": either(text(minLength=1), listed(_ITEM, least=1, most=MAX_ITEMS)),
    },
    optional={
        "instructions": nullable(text()),
        "max_output_tokens": nullable(whole(low=1)),
        "previous_response_id": nullable(text(minLength=1)),
        "routing": nullable(MEMBERS["routing"]),
        "store": nullable(BOOLEAN),
        "stream": nullable(BOOLEAN),
        "tools": nullable(listed(_TOOL)),
    },
)
USAGE = record(
    {
        "input_tokens": whole(low=0),
        "input_tokens_details": record({"cached_tokens": whole(low=0), "cache_write_tokens": whole(low=0)}),
        "output_tokens": whole(low=0),
        "output_tokens_details": record({"reasoning_tokens": whole(low=0)}),
        "total_tokens": whole(low=0),
    },
    optional={"cost": _USD, "cost_details": OBJECT},
)
RESPONSE = record(
    {
        "id": text(),
        "object": one_of("response"),
        "created_at": whole("Unix seconds", low=0),
        "status": one_of("in_progress", "completed", "incomplete", "failed"),
        "model": text("The full name of the model that answered."),
        "output": listed(OBJECT),
        "usage": nullable(USAGE),
        "store": BOOLEAN,
    }
)
EVENT: Schema = {
    **record({"data": text()}, optional={"event": text()}),
    "description": "Typed events, the last `response.completed`, `response.incomplete` or `response.failed`; then `[DONE]`.",
}
DELETED = record({"id": text(), "object": one_of("response"), "deleted": BOOLEAN})
INPUT_ITEMS = record(
    {
        "object": one_of("list"),
        "data": listed(OBJECT),
        "first_id": nullable(text()),
        "last_id": nullable(text()),
        "has_more": BOOLEAN,
    }
)
