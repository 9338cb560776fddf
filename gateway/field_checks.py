"""Checks of single JSON values. A failed check raises InvalidRequest with the path, in OpenAI's wording."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NoReturn

from gateway.errors import InvalidRequest

_SHOWN = 60

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def invalid(path: str, message: str, *, code: str = "invalid_value") -> NoReturn:
    raise InvalidRequest(message, param=path or None, code=code)


def missing(path: str) -> NoReturn:
    invalid(path, f"Missing required parameter: '{path}'.", code="missing_required_parameter")


def wrong_type(value: object, path: str, *, expected: str) -> NoReturn:
    message = f"Invalid type for '{path}': expected {expected}, but got {_KINDS[type(value)]} instead."
    invalid(path, message, code="invalid_type")


def required(parent: dict[str, Any], path: str, *, name: str) -> Any:
    """A member that must be there and not null; `path` is that of the parent, empty for the body."""
    value = parent.get(name)
    if value is None:
        missing(f"{path}.{name}" if path else name)
    return value


def shown(text: str) -> str:
    """A client's text for an error message: shortened, and escaped where not printable."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def string(value: object, path: str, *, empty: bool = True) -> str:
    if not isinstance(value, str):
        wrong_type(value, path, expected="a string")
    if not value and not empty:
        invalid(path, f"Invalid '{path}': empty string. Expected at least one character.", code="empty_string")
    return value


def matching(value: object, path: str, *, pattern: re.Pattern[str]) -> str:
    text = string(value, path)
    if not pattern.fullmatch(text):
        message = f"Invalid '{path}': {shown(text)} does not match the pattern '^{pattern.pattern}$'."
        invalid(path, message)
    return text


def choice(value: object, path: str, *, of: Collection[str]) -> str:
    text = string(value, path)
    if text not in of:
        supported = ", ".join(f"'{each}'" for each in of)
        invalid(path, f"Invalid value for '{path}': {shown(text)}. Supported values are: {supported}.")
    return text


def boolean(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        wrong_type(value, path, expected="a boolean")
    return value


def integer(value: object, path: str, *, low: int | None = None, high: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        wrong_type(value, path, expected="an integer")
    _within(value, path, low=low, high=high, kind="integer")
    return value


def number(value: object, path: str, *, low: float | None = None, high: float | None = None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong_type(value, path, expected="a number")
    _within(value, path, low=low, high=high, kind="decimal")
    return value


def mapping(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        wrong_type(value, path, expected="an object")
    return value


def array(value: object, path: str, *, least: int = 0, most: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        wrong_type(value, path, expected="an array")
    if len(value) < least:
        message = f"Invalid '{path}': {len(value)} items are too few. Expected at least {least}."
        invalid(path, message, code="empty_array" if not value else "array_below_min_length")
    if most is not None and len(value) > most:
        message = f"Invalid '{path}': {len(value)} items are too many. Expected at most {most}."
        invalid(path, message, code="array_above_max_length")
    return value


def strings(value: object, path: str, *, least: int = 0, most: int | None = None) -> list[str]:
    """An array of non-empty strings."""
    items = array(value, path, least=least, most=most)
    for i, item in enumerate(items):
        string(item, f"{path}[{i}]", empty=False)
    return items


def _within(value: float, path: str, *, low: float | None, high: float | None, kind: str) -> None:
    if low is not None and value < low:
        message = f"Invalid '{path}': {value} is below the minimum. Expected a value of at least {low}."
        invalid(path, message, code=f"{kind}_below_min_value")
    if high is not None and value > high:
        message = f"Invalid '{path}': {value} is above the maximum. Expected a value of at most {high}."
        invalid(path, message, code=f"{kind}_above_max_value")
