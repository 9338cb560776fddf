"""The subset of JSON Schema that answers are checked by."""

from __future__ import annotations

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.feedback.json_schema import MAX_STEPS, violation

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
TREE = {"$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}, "v": {"type": "integer"}}}}}
CASES: list[tuple[Any, Any, str | None]] = [
    ({"city": "Bonn", "unit": "C", "days": 3}, CITY, None),
    ({"city": "Bonn", "days": 3.0}, CITY, None),
    ({"unit": "C"}, CITY, "$: required"),
    ({"city": 3}, CITY, "$.city: type"),
    ({"city": "Bonn", "unit": "K"}, CITY, "$.unit: enum"),
    ({"city": "Bonn", "days": 2.5}, CITY, "$.days: type"),
    ({"city": "Bonn", "days": True}, CITY, "$.days: type"),
    ({"city": "Bonn", "more": 1}, CITY, "$.*: not allowed"),
    ("text", CITY, "$: type"),
    ({"a": 1, "b": "x"}, {"additionalProperties": {"type": "integer"}}, "$.*: type"),
    ({"x-a": 1}, {"patternProperties": {"^x-": {}}, "additionalProperties": False}, None),
    ([1, "x"], {"items": {"type": "integer"}}, "$[1]: type"),
    (["x", 1, 2], {"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, None),
    ([1], {"minItems": 2}, "$: minItems"),
    ([1, 2, 3], {"maxItems": 2}, "$: maxItems"),
    ([1, 2], {"minItems": 2, "maxItems": 2}, None),
    (None, {"type": ["string", "null"]}, None),
    (3, {"type": ["string", "null"]}, "$: type"),
    (3, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "$: anyOf"),
    ("x", {"oneOf": [{"type": "string"}, {"type": "null"}]}, None),
    (3, {"allOf": [{"type": "integer"}, {"type": "string"}]}, "$: type"),
    (1, {"const": True}, "$: const"),
    (1.0, {"const": 1}, None),
    (True, {"enum": [1]}, "$: enum"),
    ({"next": {"v": "x"}}, {**TREE, "$ref": "#/$defs/n"}, "$.next.v: type"),
    ({"a": {}}, {"properties": {"a": {"$ref": "#/nowhere"}}}, None),
    (
        {"a/b": 1},
        {"$defs": {"a/b": {"type": "string"}}, "properties": {"a/b": {"$ref": "#/$defs/a~1b"}}},
        "$.a/b: type",
    ),
    (3, {"$ref": "https://example.com/schema"}, None),
    (3, {"minimum": 10, "unheard_of": 1}, None),
    (3, {"type": "quantum"}, None),
    (3, {"type": ["string", "quantum"]}, None),
    (3, {"type": {"no": "type"}}, None),
    (3, True, None),
    ({}, {"required": [["no name"], 3]}, None),
    (10**400, {"type": "integer"}, None),
    (float("inf"), {"type": "integer"}, "$: type"),
    (3, False, "$: not allowed"),
    (3, None, None),
    ({"a": 1}, {"required": "a", "properties": [], "enum": "x", "anyOf": {}}, None),
]


@pytest.mark.parametrize(("value", "schema", "expected"), CASES)
def test_cases(value: Any, schema: Any, expected: str | None) -> None:
    """The first broken keyword is named with its place; unknown keywords and what is no schema are satisfied."""
    assert violation(value, schema) == expected


def test_endless_schemas_end() -> None:
    """A schema that refers to itself and a value of any depth are given up on, not gone round for ever."""
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert violation(1, {"$ref": "#"}) is None
    assert violation(deep, {"items": {"$ref": "#"}}) is None
    assert violation(["x"] * (MAX_STEPS + 9), {"items": {"anyOf": [{"type": "string"}, {}]}}) is None
    assert violation({f"{n}": n for n in range(MAX_STEPS + 9)}, {"additionalProperties": {"type": "integer"}}) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
SCHEMAS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({}, optional={"type": KINDS, "enum": st.lists(VALUES, min_size=1, max_size=3)}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS,
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "additionalProperties": inner,
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "minItems": st.integers(0, 2),
        },
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(VALUES, SCHEMAS)
def test_agrees_with_the_reference(value: Any, schema: Any) -> None:
    """On its keywords the subset says what the reference implementation says."""
    legal = not list(jsonschema.Draft202012Validator(schema).iter_errors(value))
    assert (violation(value, schema) is None) == legal
