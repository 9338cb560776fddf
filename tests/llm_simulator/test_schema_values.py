"""Values that satisfy JSON schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_simulator.schema_values import build_value, names_in
from llm_simulator.seeded_random import SeededRandom

Satisfies = Callable[[Any, Any], bool]

SCHEMAS: list[Any] = [
    {"type": "object", "properties": {"a": {"type": "string", "minLength": 40, "maxLength": 50}}, "required": ["a"]},
    {"type": "object", "properties": {"city": {"type": "string", "maxLength": 3}}, "required": ["city", "extra"]},
    {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 4}, "minItems": 5},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 1},
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "null"}, {"type": "number"}], "minItems": 2},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "multipleOf": 7, "minimum": 1},
    {"type": "integer", "maximum": -5},
    {"type": "integer", "minimum": 1, "exclusiveMinimum": 5, "maximum": 9, "exclusiveMaximum": 8},
    {"type": ["null", "string"], "pattern": "^[a-z]+$"},
    {"type": "null"},
    {"enum": [1, "Paris", None]},
    {"const": {"a": [1]}},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"oneOf": [{"const": "x"}]},
    {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"type": "object", "required": ["b"], "properties": {"b": {}}},
        ]
    },
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string", "format": "date"}}},
    {"type": "object", "properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}, "required": ["value"]},
    {
        "properties": {"$ref": {"type": "string"}, "type": {"type": "string"}, "title": {"enum": ["t"]}},
        "required": ["type", "title"],
    },
    {"items": {"type": "string", "format": "uuid"}, "minItems": 1},
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("key", range(5))
def test_instance_is_legal(schema: Any, key: int, satisfies: Satisfies) -> None:
    """What is built satisfies the schema it was built for."""
    assert satisfies(build_value(schema, prompt="Weather in Paris, 3 days", rng=SeededRandom(key)), schema)


def test_upper_case_openapi_types_are_understood() -> None:
    """Upper-case types of the OpenAPI subset are understood."""
    schema = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "enum": None}}, "required": ["n"]}
    assert isinstance(build_value(schema, prompt="", rng=SeededRandom(1))["n"], int)


def test_prompt_supplies_values() -> None:
    """Names, numbers and enum choices come from the prompt."""
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1},
            "unit": {"enum": ["km", "miles"]},
        },
        "required": ["city", "days", "unit"],
    }
    assert build_value(schema, prompt="How far is it to New York in miles, in 5 days?", rng=SeededRandom(1)) == {
        "city": "New York",
        "days": 5,
        "unit": "miles",
    }


@pytest.mark.parametrize("schema", [True, {"$ref": "#/nowhere/at/all"}, {"pattern": "["}, {"pattern": "^ZZ-\\d{40}$"}])
def test_odd_schemas_give_a_json_value(schema: Any) -> None:
    """A schema that cannot be satisfied still gets some value."""
    value = build_value(schema, prompt="x", rng=SeededRandom(1))
    assert json.loads(json.dumps(value)) == value


def test_endless_recursion_ends() -> None:
    """A schema that requires itself is cut off."""
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert build_value(schema, prompt="x", rng=SeededRandom(1))["next"]


NAMES = [
    ("What is the weather in Paris and in Berlin?", ["Paris", "Berlin"]),
    ("Weather in Paris?", ["Paris"]),
    ("Compare New York's weather with Rome", ["New York", "Rome"]),
    ("Paris and Rome", ["Paris", "Rome"]),
    ("Rome", ["Rome"]),
    ("hello", []),
]


@pytest.mark.parametrize(("prompt", "names"), NAMES)
def test_proper_names_are_found_in_order(prompt: str, names: list[str]) -> None:
    """Proper names are found in order; a sentence's first word is only one when it must be."""
    assert names_in(prompt) == names


@given(key=st.integers(), prompt=st.text(max_size=50))
def test_any_prompt_makes_legal_values(key: int, prompt: str, satisfies: Satisfies) -> None:
    """No prompt makes an illegal value."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 1}, "n": {"type": "number", "maximum": 3}},
        "required": ["name", "n"],
    }
    assert satisfies(build_value(schema, prompt=prompt, rng=SeededRandom(key)), schema)
