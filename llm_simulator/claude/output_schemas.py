"""Validates the subset of JSON schema for Claude's structured output and strict tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_simulator.validators import Path, Problem

KNOWN_TEXT = """type properties required additionalProperties items enum const anyOf allOf $ref $defs definitions description title
    default format pattern minItems examples $schema $id $comment nullable prefixItems"""
KNOWN = frozenset(KNOWN_TEXT.split())
FORMATS_TEXT = "date-time time date duration email hostname uri ipv4 ipv6 uuid"
FORMATS = frozenset(FORMATS_TEXT.split())
UNSUPPORTED_KEYWORDS = {
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
    "multipleOf": "number",
    "minLength": "string",
    "maxLength": "string",
    "maxItems": "array",
    "uniqueItems": "array",
    "contains": "array",
    "minProperties": "object",
    "maxProperties": "object",
    "patternProperties": "object",
    "propertyNames": "object",
}
"""Rejected JSON schema keywords, with the type they belong to."""


def check_output_schema(schema: Mapping[str, Any], path: Path) -> None:
    """Raises Problem for the first unsupported part."""
    if schema.get("type") not in ("object", None) and "anyOf" not in schema:
        raise Problem(path, "value", "the root of the schema must be of type 'object'")
    _Checker(schema, path).check(schema, above=())


class _Checker:
    def __init__(self, root: Mapping[str, Any], path: Path) -> None:
        self._root = root
        self._path = path

    def check(self, schema: Any, *, above: tuple[str, ...]) -> None:
        if not isinstance(schema, Mapping):
            raise self._problem("boolean schemas are not supported")
        self._keywords(schema)
        if "$ref" in schema:
            self._follow(schema["$ref"], above=above)
        if schema.get("type") == "object" or "properties" in schema:
            self._object(schema)
        for part in self._parts(schema):
            self.check(part, above=above)

    def _keywords(self, schema: Mapping[str, Any]) -> None:
        for keyword, value in schema.items():
            if keyword in UNSUPPORTED_KEYWORDS:
                kind = schema.get("type", UNSUPPORTED_KEYWORDS[keyword])
                raise self._problem(f"For '{kind}' type, property '{keyword}' is not supported")
            if keyword not in KNOWN:
                raise self._problem(f"'{keyword}' is not supported")
            if keyword == "minItems" and value not in (0, 1):
                raise self._problem("For 'array' type, 'minItems' values other than 0 or 1 are not supported")
            if keyword == "format" and value not in FORMATS:
                raise self._problem(f"For 'string' type, format '{value}' is not supported")

    def _object(self, schema: Mapping[str, Any]) -> None:
        if schema.get("additionalProperties") is not False:
            raise self._problem("For 'object' type, 'additionalProperties' must be explicitly set to false")
        undeclared = set(schema.get("required", ())) - set(schema.get("properties", {}))
        if undeclared:
            raise self._problem(f"required property '{sorted(undeclared)[0]}' is not defined in properties")

    def _follow(self, target: Any, *, above: tuple[str, ...]) -> None:
        if not isinstance(target, str) or not target.startswith("#/"):
            raise self._problem("external $ref is not supported")
        if target in above:
            raise self._problem(f"Circular reference detected in schema definitions: {target}")
        resolved: Any = self._root
        for step in target[2:].split("/"):
            resolved = resolved.get(step) if isinstance(resolved, Mapping) else None
        if resolved is None:
            raise self._problem(f"$ref '{target}' cannot be resolved")
        self.check(resolved, above=(*above, target))

    def _parts(self, schema: Mapping[str, Any]) -> list[Any]:
        parts = list(schema.get("properties", {}).values())
        parts += [schema["items"]] if "items" in schema else []
        return [*parts, *schema.get("anyOf", []), *schema.get("allOf", []), *schema.get("prefixItems", [])]

    def _problem(self, message: str) -> Problem:
        return Problem(self._path, "value", message)
