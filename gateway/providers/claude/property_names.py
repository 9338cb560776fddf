"""Names of properties: the API takes letters, digits and `_ . -`, JSON any text, so others are changed and changed back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.providers.claude.schema import BY_NAME, BY_NUMBER, SINGLE, parts

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_.-]")
_LONGEST = 64
_LONGEST_BASE = 60
_LEGAL_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


def legal_properties(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The schema with property names that the API takes, and from each changed name to the client's."""
    names: set[str] = set()
    _each_property(schema, names.add)
    illegal = sorted(name for name in names if not _LEGAL_PROPERTY.fullmatch(name))
    if not illegal:
        return schema, {}
    renamed: dict[str, str] = {}
    numbers: dict[str, int] = {}  # the last that was added to a name, so that none is tried again
    for name in illegal:
        legal = base = _ILLEGAL.sub("_", name[:_LONGEST_BASE]) or "_"
        number = numbers.get(base, 1)
        while legal in names or legal in renamed:
            number += 1
            told_apart = f"_{number}"
            legal = base[: _LONGEST - len(told_apart)] + told_apart
        numbers[base] = number
        renamed[legal] = name
    return _renamed(schema, {original: legal for legal, original in renamed.items()}), renamed


def _each_property(schema: Any, visit: Callable[[str], object]) -> None:
    if not isinstance(schema, dict):
        return
    for name in schema.get("properties", {}):
        visit(name)
    for _, part in parts(schema):
        _each_property(part, visit)


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    return {word: _renamed_value(word, value, names) for word, value in schema.items()}


def _renamed_value(word: str, value: Any, names: Mapping[str, str]) -> Any:
    if word == "properties":
        return {names.get(name, name): _renamed(part, names) for name, part in value.items()}
    if word in BY_NAME:
        return {name: _renamed(part, names) for name, part in value.items()}
    if word in BY_NUMBER:
        return [_renamed(part, names) for part in value]
    if word == "required":
        return [names.get(name, name) for name in value]
    return _renamed(value, names) if word in SINGLE else value


def renamed_keys(value: Any, names: Mapping[str, str]) -> Any:
    """JSON with its members renamed, at every depth."""
    if isinstance(value, dict):
        return {names.get(name, name): renamed_keys(inner, names) for name, inner in value.items()}
    return [renamed_keys(inner, names) for inner in value] if isinstance(value, list) else value
