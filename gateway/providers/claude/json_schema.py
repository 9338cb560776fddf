"""JSON schemas: whether one is sound, and as the input of one of Claude's tools.

The walk goes through the places where schemas stand (`properties`, `items`, `anyOf`, ...) and nowhere else, so that a
property may have any name, `type`, `$ref` and `title` too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from gateway.errors import InvalidRequest

Schema = Mapping[str, Any]

BY_NAME = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
BY_NUMBER = ("anyOf", "oneOf", "allOf", "prefixItems")
SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_LONGEST_REFERENCE = 4096  # characters
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_.-]")
_LONGEST = 64
_LONGEST_BASE = 60
_LEGAL_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_LISTS = frozenset((*BY_NUMBER, "required", "type", "enum"))
_STRUCTURAL = frozenset((*BY_NAME, *SINGLE, *_LISTS, "$ref", "description"))


def sound(schema: Any, path: str) -> Any:
    """The schema without keywords that are null, which some clients write for "none".

    Raises InvalidRequest where a keyword's value cannot be one, so that everything below may trust their types.
    """
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        _unsound(path)
    return {
        word: _sound_value(word, value, f"{path}.{word}")
        for word, value in schema.items()
        if not (value is None and word in _STRUCTURAL) and not (value == [] and word in _LISTS)
    }


def _sound_value(word: str, value: Any, path: str) -> Any:
    if word in BY_NAME:
        return {name: sound(part, f"{path}.{name}") for name, part in _of(value, dict, path).items()}
    if word in BY_NUMBER:
        return [sound(part, f"{path}[{i}]") for i, part in enumerate(_of(value, list, path))]
    if word in SINGLE:
        return sound(value, path)
    if word in ("required", "type") and isinstance(value, list):
        return [_of(name, str, path) for name in value]
    if word in ("type", "$ref", "description"):
        return _of(value, str, path)
    return _of(value, list, path) if word in ("required", "enum") else value


def _of(value: Any, kind: type, path: str) -> Any:
    return value if isinstance(value, kind) else _unsound(path)


def _unsound(path: str) -> NoReturn:
    raise InvalidRequest(
        f"Invalid schema: '{path}' is not what JSON schema wants there.", param=path, code="invalid_json_schema"
    )


def parts(schema: Schema) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, each with the keyword it stands under."""
    for word, value in schema.items():
        if word in BY_NAME:
            yield from ((word, part) for part in value.values())
        elif word in BY_NUMBER:
            yield from ((word, part) for part in value)
        elif word in SINGLE:
            yield word, value


def object_schema(schema: Schema) -> dict[str, Any]:
    """A tool's `input_schema`: the root is an object without a choice at its top level.

    A root reference is replaced by what it names, root `allOf` by all its properties, `anyOf` and `oneOf` by the
    properties of every branch, of which those that all branches require are required.
    """
    root = dict(schema)
    followed: set[str] = set()
    while "$ref" in root and root["$ref"] not in followed:
        followed.add(root["$ref"])
        root = {**branch_of(root, {"$ref": root.pop("$ref")}), **root}
    root.pop("$ref", None)
    for word in ("allOf", "anyOf", "oneOf"):
        if word in root:
            root = _folded(root, [branch_of(root, branch) for branch in root.pop(word)], every=word == "allOf")
    return {**root, "type": "object", "properties": root.get("properties", {})}


def branch_of(root: Schema, branch: Any) -> Schema:
    if isinstance(branch, Mapping) and "$ref" in branch:
        branch = resolved(root, branch["$ref"])
    return branch if isinstance(branch, Mapping) else {}


def _folded(root: dict[str, Any], branches: list[Schema], *, every: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for branch in branches:
        for name, value in branch.get("properties", {}).items():
            properties.setdefault(name, value)
    lists = [branch.get("required", []) for branch in branches if every or branch.get("type") != "null"]
    names = [name for names in lists for name in names]
    required = names if every else _in_all(names, [set(each) for each in lists])
    merged = {**root, "properties": {**properties, **root.get("properties", {})}}
    required = list(dict.fromkeys([*root.get("required", []), *required]))
    return {**merged, "required": required} if required else merged


def _in_all(names: Sequence[str], lists: Sequence[set[str]]) -> list[str]:
    common = lists[0].intersection(*lists[1:]) if lists else set()
    return [name for name in names if name in common]


def resolved(root: Schema, reference: str) -> Any:
    """What a local reference (`#/$defs/Node`) names; None when there is no such thing."""
    if len(reference) > _LONGEST_REFERENCE:
        return None
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference.startswith("#") else ("",):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if step and isinstance(found, Mapping) else None
    return found if reference != "#" else root


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
