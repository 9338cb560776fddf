"""The request and answer of embeddings as JSON Schema; the rules themselves are in `gateway.dialects.embeddings`."""

from __future__ import annotations

from gateway.api.openapi.chat import MEMBERS
from gateway.api.openapi.json_schema import either, listed, nullable, number, one_of, record, text, whole
from gateway.dialects.embeddings import FORMATS, MAX_DIMENSIONS, MAX_INPUTS

_SOME = text(minLength=1)
_TOKENS = listed(whole(low=0), least=1)

REQUEST = record(
    {
        "model": text("The name of a model, or an alias of one; `auto` is refused.", minLength=1),
        "input": either(_SOME, _TOKENS, listed(either(_SOME, _TOKENS), least=1, most=MAX_INPUTS)),
    },
    optional={
        "dimensions": nullable(whole("The size of the vectors.", low=1, high=MAX_DIMENSIONS)),
        "encoding_format": nullable(one_of(*FORMATS)),
        "input_type": nullable(text("What the vectors are for, such as `search_query`.", minLength=1)),
        "routing": nullable(MEMBERS["routing"]),
        "user": nullable(text()),
    },
)
_VECTOR = either(listed(number()), text("Little-endian float32 in base64."))
EMBEDDINGS = record(
    {
        "object": one_of("list"),
        "data": listed(record({"object": one_of("embedding"), "index": whole(low=0), "embedding": _VECTOR}), least=1),
        "model": text("The full name of the model that answered."),
        "usage": record({"prompt_tokens": whole(low=0), "total_tokens": whole(low=0), "cost": nullable(number("USD"))}),
    }
)
