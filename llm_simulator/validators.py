"""Strict validators for JSON: each takes a value and its path, and returns the validated value or raises `Problem`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

Path = tuple[str | int, ...]
Check = Callable[[Any, Path], Any]
Reason = Literal["extra", "missing", "type", "value"]


class Problem(Exception):
    """A value that the vendor rejects: path, reason and message."""

    def __init__(self, path: Path, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason
        self.message = message


def anything(value: Any, path: Path) -> Any:
    return value


def string(*, least: int = 0, most: int | None = None) -> Check:
    def check(value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise Problem(path, "type", "Input should be a valid string")
        if len(value) < least:
            raise Problem(path, "value", f"String should have at least {least} character{'s' if least > 1 else ''}")
        if most is not None and len(value) > most:
            raise Problem(path, "value", f"String should have at most {most} characters")
        return value

    return check


def boolean(value: Any, path: Path) -> bool:
    if not isinstance(value, bool):
        raise Problem(path, "type", "Input should be a valid boolean")
    return value


def number(low: float | None = None, high: float | None = None) -> Check:
    return _numeric(float, "number", low=low, high=high)


def integer(low: int | None = None, high: int | None = None) -> Check:
    return _numeric(int, "integer", low=low, high=high)


def _numeric(kind: type, name: str, *, low: float | None, high: float | None) -> Check:
    def check(value: Any, path: Path) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Problem(path, "type", f"Input should be a valid {name}")
        if kind is int and value != int(value):
            raise Problem(path, "type", "Input should be a valid integer, got a number with a fractional part")
        if low is not None and value < low:
            raise Problem(path, "value", f"Input should be greater than or equal to {low}")
        if high is not None and value > high:
            raise Problem(path, "value", f"Input should be less than or equal to {high}")
        return int(value) if kind is int else value

    return check


def one_of(*options: str) -> Check:
    as_list = ", ".join(f"'{option}'" for option in options[:-1])
    expected = f"{as_list} or '{options[-1]}'" if as_list else f"'{options[-1]}'"

    def check(value: Any, path: Path) -> str:
        if value not in options or not isinstance(value, str):
            raise Problem(path, "value", f"Input should be {expected}")
        return value

    return check


def optional(inner: Check) -> Check:
    """The value or null."""
    return lambda value, path: None if value is None else inner(value, path)


def array(inner: Check, *, least: int = 0, most: int | None = None) -> Check:
    def check(value: Any, path: Path) -> list[Any]:
        if not isinstance(value, list):
            raise Problem(path, "type", "Input should be a valid list")
        if len(value) < least:
            raise Problem(path, "value", f"List should have at least {least} item after validation, not {len(value)}")
        if most is not None and len(value) > most:
            raise Problem(path, "value", f"List should have at most {most} items after validation, not {len(value)}")
        return [inner(item, (*path, index)) for index, item in enumerate(value)]

    return check


def mapping(value: Any, path: Path) -> dict[str, Any]:
    """Any object."""
    if not isinstance(value, dict):
        raise Problem(path, "type", "Input should be an object")
    return value


def record(
    fields: Mapping[str, Check],
    *,
    required: Sequence[str] = (),
    rename: Callable[[str], str] | None = None,
    skip_null: bool = False,
) -> Check:
    """An object with these fields and no others."""

    def check(value: Any, path: Path) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for sent, item in mapping(value, path).items():
            name = rename(sent) if rename else sent
            if name not in fields:
                raise Problem((*path, sent), "extra", "Extra inputs are not permitted")
            if item is not None or not skip_null:
                read[name] = fields[name](item, (*path, sent))
        for name in required:
            if name not in read:
                raise Problem((*path, name), "missing", "Field required")
        return read

    return check


def tagged(variants: Mapping[str, Check], *, key: str = "type") -> Check:
    """An object whose `key` selects its validator; the tag becomes part of the path, as in pydantic."""
    expected = ", ".join(f"'{name}'" for name in variants)

    def check(value: Any, path: Path) -> dict[str, Any]:
        tag = mapping(value, path).get(key)
        if tag is None:
            raise Problem((*path, key), "missing", "Field required")
        if not isinstance(tag, str) or tag not in variants:
            raise Problem(
                path,
                "value",
                f"Input tag '{tag}' found using '{key}' does not match any of the expected tags: {expected}",
            )
        read: dict[str, Any] = variants[tag](value, (*path, tag))
        return read

    return check


def text_or(inner: Check) -> Check:
    """A string, or a value that `inner` accepts."""
    return lambda value, path: value if isinstance(value, str) else inner(value, path)


def decode_base64(value: str) -> bytes:
    """Bytes of base64 text in either alphabet; raises ValueError on anything else."""
    plain = value.translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
