"""Parses JSON of clients and upstreams with limits on depth and size."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

from gateway.errors import InvalidRequest
from gateway.field_checks import invalid
from gateway.long_json import loads

MAX_DEPTH = 64  # levels of a request
# Values (object members and array items) of one JSON text. The parser holds the interpreter lock, so this limits how long
# the event loop is blocked.
MAX_VALUES = 250_000
# Levels of an upstream's response, and of JSON inside a client's text: deeper JSON could not be encoded again.
MAX_ANSWER_DEPTH = 128

_MIN_COUNTED = 2 * MAX_VALUES  # bytes; shorter texts cannot exceed MAX_VALUES, since a value takes at least two
_CHUNK = 65_536
_SEPARATORS = (b",", b"[", b"{")


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a request body. Raises InvalidRequest for anything but a JSON object within the limits and without NUL.

    NaN, Infinity, numbers beyond a double, lone surrogates and a byte order mark are rejected by the parser.
    """
    if holds_too_many_values(raw):
        raise InvalidRequest(
            f"The request body holds too many values; at most {MAX_VALUES} members and items are accepted in all.",
            code="too_many_values",
        )
    try:
        body = loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(_parse_error_message(raw, error), code="invalid_json") from None
    if not isinstance(body, dict):
        raise InvalidRequest(
            'The request body must be a JSON object, as {"model": ..., "messages": [...]}.', code="invalid_type"
        )
    _check_depth_and_nul(body)
    return body


def parse_embedded(text: str) -> Any:
    """Parse JSON inside a text of a client's message, such as the arguments of a call.

    Raises JSONDecodeError, also above MAX_ANSWER_DEPTH or MAX_VALUES.
    """
    if len(text) > _MIN_COUNTED and holds_too_many_values(text.encode()):
        raise orjson.JSONDecodeError(f"more than {MAX_VALUES} values", "", 0)
    return _check_depth(orjson.loads(text), opened=text.count("[") + text.count("{"))


def parse_answer(raw: bytes) -> Any:
    """Parse JSON of an upstream's response or event. Raises JSONDecodeError, also above MAX_ANSWER_DEPTH."""
    return _check_depth(loads(raw), opened=raw.count(b"[") + raw.count(b"{"))


def _check_depth(value: Any, *, opened: int) -> Any:
    """Check the depth of a value. `opened`: its number of opening brackets, also inside strings, an upper bound of the depth."""
    if opened > MAX_ANSWER_DEPTH and _is_deeper(value, MAX_ANSWER_DEPTH):
        raise orjson.JSONDecodeError(f"nested deeper than {MAX_ANSWER_DEPTH} levels", "", 0)
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        below: list[Any] = []
        for parent in level:
            if type(parent) is dict:
                below += parent.values()
            elif type(parent) is list:
                below += parent
        level = [child for child in below if type(child) is dict or type(child) is list]
        if not level:
            return False
    return True


def holds_too_many_values(raw: bytes) -> bool:
    """Whether JSON has more than MAX_VALUES values; computed before parsing and without copying the whole text.

    Counts the separators of values. Only where there are enough of them, separators inside strings are excluded.
    """
    if len(raw) <= _MIN_COUNTED or sum([raw.count(mark) for mark in _SEPARATORS]) <= MAX_VALUES:
        return False
    values = 0
    within_string = False
    carried = b""  # a backslash at the end of a chunk belongs to the next one
    for start in range(0, len(raw), _CHUNK):
        chunk = carried + raw[start : start + _CHUNK]
        slashes = len(chunk) - len(chunk.rstrip(b"\\"))
        carried = b"\\" if slashes % 2 else b""
        if carried:
            chunk = chunk[:-1]
        pieces = chunk.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        for outside in pieces[within_string::2]:
            values += sum(map(outside.count, _SEPARATORS))
        within_string ^= len(pieces) % 2 == 0
        if values > MAX_VALUES:
            return True
    return False


def _parse_error_message(raw: bytes, error: orjson.JSONDecodeError) -> str:
    if not raw.strip():
        return "The request body is empty; send a JSON object with `model` and `messages`."
    try:
        raw.decode()
    except UnicodeDecodeError as decode_error:
        return f"The request body is not valid UTF-8 (at byte {decode_error.start}); encode the JSON as UTF-8."
    return f"The request body is not valid JSON: {error}."


def _check_depth_and_nul(body: dict[str, Any]) -> None:
    """Raises InvalidRequest for NUL characters or too many levels. Searching strings is faster than searching the raw JSON."""
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for parent in level:
            if type(parent) is dict:
                for name, child in parent.items():
                    kind = type(child)
                    if "\x00" in name:
                        _raise_for_nul(body)
                    if kind is str:
                        if "\x00" in child:
                            _raise_for_nul(body)
                    elif kind is dict or kind is list:
                        below.append(child)
            else:
                for child in parent:
                    kind = type(child)
                    if kind is str:
                        if "\x00" in child:
                            _raise_for_nul(body)
                    elif kind is dict or kind is list:
                        below.append(child)
        if not below:
            return
        level = below
    raise InvalidRequest(
        f"The request body is nested too deeply; at most {MAX_DEPTH} levels are accepted.", code="too_deep"
    )


def _raise_for_nul(body: dict[str, Any]) -> NoReturn:
    """Raises InvalidRequest with the path of the NUL character. PostgreSQL cannot store NUL, and several providers reject it."""
    waiting: list[tuple[str, Any]] = [("", body)]
    while True:  # the caller found a NUL, so this ends
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
