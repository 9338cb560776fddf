"""JSON Schema (draft 2020-12, which OpenAPI 3.1 uses) as short functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

ANYTHING: Schema = {"description": "Anything."}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
JSON = "application/json"


def text(description: str | None = None, **rules: Any) -> Schema:
    return _described({"type": "string", **rules}, description)


def number(description: str | None = None, *, low: float | None = None, high: float | None = None) -> Schema:
    return _described({"type": "number", **_bounds(low, high)}, description)


def whole(description: str | None = None, *, low: int | None = None, high: int | None = None) -> Schema:
    return _described({"type": "integer", **_bounds(low, high)}, description)


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def listed(items: Schema, *, least: int | None = None, most: int | None = None) -> Schema:
    bounds = {"minItems": least, "maxItems": most}
    return {"type": "array", "items": items, **{name: bound for name, bound in bounds.items() if bound is not None}}


def record(members: Mapping[str, Schema], *, optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object that has all of `members` and may have the `optional` ones, or others that are not described."""
    return {"type": "object", "properties": {**members, **(optional or {})}, "required": list(members)}


def strict(members: Mapping[str, Schema]) -> Schema:
    """An object that may have these members and no others."""
    return {"type": "object", "properties": dict(members), "additionalProperties": False}


def mapped(values: Schema) -> Schema:
    """An object with any names, whose values all have this schema."""
    return {"type": "object", "additionalProperties": values}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def named(name: str) -> Schema:
    """One of the document's own schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def _bounds(low: float | None, high: float | None) -> Schema:
    bounds = {"minimum": low, "maximum": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _described(schema: Schema, description: str | None) -> Schema:
    return schema if description is None else {**schema, "description": description}
