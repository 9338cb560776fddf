"""JSON schemas for Claude's tools: validation, the `input_schema` form, and property names that the API accepts.

Traversal visits only keywords that hold schemas (`properties`, `items`, `anyOf`, ...), so that a property may have any
name, also `type`, `$ref` or `title`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from gateway.errors import InvalidRequest

Schema = Mapping[str, Any]

SCHEMA_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
SINGLE_SCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_MAX_REFERENCE = 4096  # characters
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_.-]")
_MAX_NAME = 64
_MAX_BASE_NAME = 60
_LEGAL_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_LISTS = frozenset((*SCHEMA_LISTS, "required", "type", "enum"))
_STRUCTURAL = frozenset((*SCHEMA_MAPS, *SINGLE_SCHEMAS, *_LISTS, "$ref", "description"))


def validate_schema(schema: Any, path: str) -> Any:
    """The schema without null keywords, which some clients send for "none".

    Raises InvalidRequest where a keyword has a value of the wrong type, so that later code can rely on the types.
    """
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        _invalid_schema(path)
    return {
        keyword: _validate_keyword(keyword, value, f"{path}.{keyword}")
        for keyword, value in schema.items()
        if not (value is None and keyword in _STRUCTURAL) and not (value == [] and keyword in _LISTS)
    }


def _validate_keyword(keyword: str, value: Any, path: str) -> Any:
    if keyword in SCHEMA_MAPS:
        return {name: validate_schema(part, f"{path}.{name}") for name, part in _expect(value, dict, path).items()}
    if keyword in SCHEMA_LISTS:
        return [validate_schema(part, f"{path}[{i}]") for i, part in enumerate(_expect(value, list, path))]
    if keyword in SINGLE_SCHEMAS:
        return validate_schema(value, path)
    if keyword in ("required", "type") and isinstance(value, list):
        return [_expect(name, str, path) for name in value]
    if keyword in ("type", "$ref", "description"):
        return _expect(value, str, path)
    return _expect(value, list, path) if keyword in ("required", "enum") else value


def _expect(value: Any, kind: type, path: str) -> Any:
    return value if isinstance(value, kind) else _invalid_schema(path)


def _invalid_schema(path: str) -> NoReturn:
    raise InvalidRequest(
        f"Invalid schema: '{path}' is not what JSON schema wants there.", param=path, code="invalid_json_schema"
    )


def subschemas(schema: Schema) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, each with its keyword."""
    for keyword, value in schema.items():
        if keyword in SCHEMA_MAPS:
            yield from ((keyword, part) for part in value.values())
        elif keyword in SCHEMA_LISTS:
            yield from ((keyword, part) for part in value)
        elif keyword in SINGLE_SCHEMAS:
            yield keyword, value


def object_schema(schema: Schema) -> dict[str, Any]:
    """A tool's `input_schema`: the root is an object without `anyOf`, `oneOf` or `allOf` at its top level.

    A root `$ref` is resolved. Root `allOf` becomes the union of the properties. Root `anyOf` and `oneOf` become the union
    of the properties of all branches; only properties that every branch requires stay required.
    """
    root = dict(schema)
    followed: set[str] = set()
    while "$ref" in root and root["$ref"] not in followed:
        followed.add(root["$ref"])
        root = {**resolve_branch(root, {"$ref": root.pop("$ref")}), **root}
    root.pop("$ref", None)
    for keyword in ("allOf", "anyOf", "oneOf"):
        if keyword in root:
            root = _merge_branches(
                root, [resolve_branch(root, branch) for branch in root.pop(keyword)], every=keyword == "allOf"
            )
    return {**root, "type": "object", "properties": root.get("properties", {})}


def resolve_branch(root: Schema, branch: Any) -> Schema:
    if isinstance(branch, Mapping) and "$ref" in branch:
        branch = resolve_reference(root, branch["$ref"])
    return branch if isinstance(branch, Mapping) else {}


def _merge_branches(root: dict[str, Any], branches: list[Schema], *, every: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for branch in branches:
        for name, value in branch.get("properties", {}).items():
            properties.setdefault(name, value)
    lists = [branch.get("required", []) for branch in branches if every or branch.get("type") != "null"]
    names = [name for names in lists for name in names]
    required = names if every else _required_by_all(names, [set(each) for each in lists])
    merged = {**root, "properties": {**properties, **root.get("properties", {})}}
    required = list(dict.fromkeys([*root.get("required", []), *required]))
    return {**merged, "required": required} if required else merged


def _required_by_all(names: Sequence[str], lists: Sequence[set[str]]) -> list[str]:
    common = lists[0].intersection(*lists[1:]) if lists else set()
    return [name for name in names if name in common]


def resolve_reference(root: Schema, reference: str) -> Any:
    """The schema that a local reference (`#/$defs/Node`) names; None where there is none."""
    if len(reference) > _MAX_REFERENCE:
        return None
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference.startswith("#") else ("",):
        target = (
            target.get(step.replace("~1", "/").replace("~0", "~")) if step and isinstance(target, Mapping) else None
        )
    return target if reference != "#" else root


def rename_illegal_properties(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The schema with property names that the API accepts (letters, digits, `_ . -`), and new name -> the client's name."""
    names: set[str] = set()
    _visit_properties(schema, names.add)
    illegal = sorted(name for name in names if not _LEGAL_PROPERTY.fullmatch(name))
    if not illegal:
        return schema, {}
    renamed: dict[str, str] = {}
    numbers: dict[str, int] = {}  # last suffix used for a name, so that the search is linear
    for name in illegal:
        legal = base = _ILLEGAL.sub("_", name[:_MAX_BASE_NAME]) or "_"
        number = numbers.get(base, 1)
        while legal in names or legal in renamed:
            number += 1
            suffix = f"_{number}"
            legal = base[: _MAX_NAME - len(suffix)] + suffix
        numbers[base] = number
        renamed[legal] = name
    return _rename_properties(schema, {original: legal for legal, original in renamed.items()}), renamed


def _visit_properties(schema: Any, visit: Callable[[str], object]) -> None:
    if not isinstance(schema, dict):
        return
    for name in schema.get("properties", {}):
        visit(name)
    for _, part in subschemas(schema):
        _visit_properties(part, visit)


def _rename_properties(schema: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    return {keyword: _rename_in_keyword(keyword, value, names) for keyword, value in schema.items()}


def _rename_in_keyword(keyword: str, value: Any, names: Mapping[str, str]) -> Any:
    if keyword == "properties":
        return {names.get(name, name): _rename_properties(part, names) for name, part in value.items()}
    if keyword in SCHEMA_MAPS:
        return {name: _rename_properties(part, names) for name, part in value.items()}
    if keyword in SCHEMA_LISTS:
        return [_rename_properties(part, names) for part in value]
    if keyword == "required":
        return [names.get(name, name) for name in value]
    return _rename_properties(value, names) if keyword in SINGLE_SCHEMAS else value


def rename_keys(value: Any, names: Mapping[str, str]) -> Any:
    """JSON with its members renamed at every depth."""
    if isinstance(value, dict):
        return {names.get(name, name): rename_keys(inner, names) for name, inner in value.items()}
    return [rename_keys(inner, names) for inner in value] if isinstance(value, list) else value
