"""OpenAI's embeddings: parses and validates a request, and writes the response.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from gateway.completion import NO_HINTS, Json
from gateway.dialects.routing_hints import routing_hints
from gateway.embeddings import EmbeddingRequest, Input
from gateway.field_checks import array, choice, integer, missing, string, wrong_type
from gateway.json_body import parse_object

PATH = "/v1/embeddings"
ENDPOINT = "embeddings"  # in the ledger
MAX_INPUTS = 2048
MAX_DIMENSIONS = 65_536
FORMATS = ("float", "base64")
_HIGHEST_TOKEN = 2**31 - 1

_CHECKS: Mapping[str, Callable[[Any, str], object]] = {
    "model": partial(string, empty=False),
    "dimensions": partial(integer, low=1, high=MAX_DIMENSIONS),
    "encoding_format": partial(choice, of=FORMATS),
    "input_type": partial(string, empty=False),  # OpenRouter's
    "user": string,
}
_USAGE = ("prompt_tokens", "total_tokens", "cost", "cost_details")


def parse_embedding_request(raw: bytes) -> EmbeddingRequest:
    """Apply OpenAI's rules to known members; providers leave out what they do not know.

    Raises InvalidRequest for everything that is wrong with the body.
    """
    body = {name: value for name, value in parse_object(raw).items() if value is not None}
    for name in ("model", "input"):
        if name not in body:
            missing(name)
    hints = routing_hints(body.pop("routing")) if "routing" in body else NO_HINTS
    for name, value in body.items():
        if name in _CHECKS:
            _CHECKS[name](value, name)
    return EmbeddingRequest(
        body=body,
        model=body["model"],
        inputs=_inputs(body["input"]),
        encoding_format=body.get("encoding_format", "float"),
        dimensions=body.get("dimensions"),
        hints=hints,
        size=len(raw),
    )


def embeddings_body(items: Sequence[Any], *, model: str, usage: Json) -> dict[str, Any]:
    """The JSON of a response. `items` are the encoded vectors in the order of the inputs; `usage` is that of a chat completion."""
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": item} for index, item in enumerate(items)],
        "model": model,
        "usage": {name: usage[name] for name in _USAGE},
    }


def _inputs(value: object, path: str = "input") -> Sequence[Input]:
    """One text, several, the token ids of one, or of several."""
    if isinstance(value, str):
        return [string(value, path, empty=False)]
    if not isinstance(value, list):
        wrong_type(value, path, expected="a string or an array")
    if value and not isinstance(value[0], str | list):
        return [_tokens(value, path)]
    items = array(value, path, least=1, most=MAX_INPUTS)
    if isinstance(items[0], list):
        return [_tokens(item, f"{path}[{i}]") for i, item in enumerate(items)]
    return [string(item, f"{path}[{i}]", empty=False) for i, item in enumerate(items)]


def _tokens(value: object, path: str) -> Sequence[int]:
    tokens = array(value, path, least=1)
    wrong = next((i for i, token in enumerate(tokens) if not _is_token(token)), None)
    if wrong is not None:
        integer(tokens[wrong], f"{path}[{wrong}]", low=0, high=_HIGHEST_TOKEN)
    return tokens


def _is_token(value: object) -> bool:
    return type(value) is int and 0 <= value <= _HIGHEST_TOKEN
