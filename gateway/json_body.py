"""JSON of clients and upstreams with bounded depth and size; a request's bytes as one strict object without NUL."""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

from gateway.errors import InvalidRequest
from gateway.field_checks import invalid
from gateway.long_json import loads

MAX_DEPTH = 64  # levels of a request
# Values (members of objects, items of arrays) of one JSON text. Its parser does not let go of the interpreter's lock, so
# this bounds for how long the event loop is held up.
MAX_VALUES = 250_000
# Levels of an upstream's answer, and of JSON in a client's text: what is nested deeper could not be written out again.
MAX_ANSWER_DEPTH = 128

_COUNTED_FROM = 2 * MAX_VALUES  # bytes; a value takes at least two
_CHUNK = 65_536
_VALUE_MARKS = (b",", b"[", b"{")


def parse_object(raw: bytes) -> dict[str, Any]:
    """The object that `raw` holds. NaN, Infinity, numbers beyond a double, lone surrogates and a BOM are refused by the parser."""
    if holds_too_many_values(raw):
        raise InvalidRequest(
            f"The request body holds too many values; at most {MAX_VALUES} members and items are accepted in all.",
            code="too_many_values",
        )
    try:
        body = loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(_not_json(raw, error), code="invalid_json") from None
    if not isinstance(body, dict):
        raise InvalidRequest(
            'The request body must be a JSON object, as {"model": ..., "messages": [...]}.', code="invalid_type"
        )
    _refuse_deep_or_nul(body)
    return body


def parse_embedded(text: str) -> Any:
    """JSON that stands in a text of a client's message, such as the arguments of a call.

    Raises JSONDecodeError, also where it is deeper or holds more values than what is written out again may.
    """
    if len(text) > _COUNTED_FROM and holds_too_many_values(text.encode()):
        raise orjson.JSONDecodeError(f"more than {MAX_VALUES} values", "", 0)
    return _shallow(orjson.loads(text), opened=text.count("[") + text.count("{"))


def parse_answer(raw: bytes) -> Any:
    """JSON of an upstream's answer or event. Raises JSONDecodeError, also where it is nested too deeply to be written again."""
    return _shallow(loads(raw), opened=raw.count(b"[") + raw.count(b"{"))


def _shallow(value: Any, *, opened: int) -> Any:
    """The value; `opened` brackets, those within texts included, tell nearly always that it cannot be deep."""
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
    """Whether JSON holds more than MAX_VALUES values, told before it is parsed and without a copy of all of it.

    The marks between values are counted; only where there are enough of them, those within strings are left out.
    """
    if len(raw) <= _COUNTED_FROM or sum([raw.count(mark) for mark in _VALUE_MARKS]) <= MAX_VALUES:
        return False
    found = 0
    within_string = False
    held = b""  # a backslash at the end of a chunk belongs to what follows
    for start in range(0, len(raw), _CHUNK):
        chunk = held + raw[start : start + _CHUNK]
        slashes = len(chunk) - len(chunk.rstrip(b"\\"))
        held = b"\\" if slashes % 2 else b""
        if held:
            chunk = chunk[:-1]
        pieces = chunk.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        for outside in pieces[within_string::2]:
            found += sum(map(outside.count, _VALUE_MARKS))
        within_string ^= len(pieces) % 2 == 0
        if found > MAX_VALUES:
            return True
    return False


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
