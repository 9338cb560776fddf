"""A request's bytes as one JSON object: strict UTF-8, strict JSON, bounded depth, no NUL."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

from gateway.errors import InvalidRequest
from gateway.wire.checks import invalid

MAX_DEPTH = 64


def parse_object(raw: bytes) -> dict[str, Any]:
    """The object that `raw` holds. NaN, Infinity, numbers beyond a double, lone surrogates and a BOM are refused by the parser."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(_not_json(raw, error), code="invalid_json") from None
    if not isinstance(body, dict):
        raise InvalidRequest(
            'The request body must be a JSON object, as {"model": ..., "messages": [...]}.', code="invalid_type"
        )
    _refuse_deep_or_nul(body)
    return body


def _not_json(raw: bytes, error: orjson.JSONDecodeError) -> str:
    if not raw.strip():
        return "The request body is empty; send a JSON object with `model` and `messages`."
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        return f"The request body is not valid UTF-8 (at byte {bad.start}); encode the JSON as UTF-8."
    return f"The request body is not valid JSON: {error}."


def _refuse_deep_or_nul(body: dict[str, Any]) -> None:
    """Level by level. Most bodies are few values and long strings, which are searched faster than the JSON around them."""
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for parent in level:
            if type(parent) is dict:
                for name, child in parent.items():
                    kind = type(child)
                    if "\x00" in name:
                        _refuse_nul(body)
                    if kind is str:
                        if "\x00" in child:
                            _refuse_nul(body)
                    elif kind is dict or kind is list:
                        below.append(child)
            else:
                for child in parent:
                    kind = type(child)
                    if kind is str:
                        if "\x00" in child:
                            _refuse_nul(body)
                    elif kind is dict or kind is list:
                        below.append(child)
        if not below:
            return
        level = below
    raise InvalidRequest(
        f"The request body is nested too deeply; at most {MAX_DEPTH} levels are accepted.", code="too_deep"
    )


def _refuse_nul(body: dict[str, Any]) -> NoReturn:
    """PostgreSQL cannot store NUL and several providers refuse it, so it is refused for all, naming where it stands."""
    waiting: list[tuple[str, Any]] = [("", body)]
    while True:  # there is one
        path, value = waiting.pop()
        if isinstance(value, str):
            if "\x00" in value:
                invalid(path, f"Invalid '{path}': the string holds a NUL character (\\u0000); remove it.")
        elif isinstance(value, dict):
            for name, child in value.items():
                if "\x00" in name:
                    invalid(
                        path,
                        f"The name of a member of '{path or 'the request body'}' holds a NUL character; remove it.",
                    )
                waiting.append((f"{path}.{name}" if path else name, child))
        elif isinstance(value, list):
            waiting.extend((f"{path}[{i}]", child) for i, child in enumerate(value))
