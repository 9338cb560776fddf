"""The subset of JSON schema for structured output and strict tools."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from anthropic import transform_schema

from gateway.providers.claude.structured_output import UnsupportedSchema, strict_schema
from llm_simulator.claude.output_schemas import check_output_schema
from tests.providers.claude.asking import HAIKU_4_5, OPUS_4_1, OPUS_5_5, SONNET_4_6, SONNET_5_5, refusal, sent


def of_a(schema: Any, **root: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, **root}


@pytest.mark.parametrize(
    ("schema", "becomes"),
    [
        ({"type": "string", "minLength": 1, "pattern": "^x"}, {"type": "string", "description": '{minLength: 1, pattern: "^x"}'}),
        ({"type": "number", "description": "N", "multipleOf": 2}, {"type": "number", "description": "N\n\n{multipleOf: 2}"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": {}}, {"type": "string", "description": "{format: {}}"}),
        ({"type": "array", "items": {"type": "null"}, "minItems": 1}, {"type": "array", "items": {"type": "null"}, "minItems": 1}),
        ({"items": {"type": "null"}, "minItems": 2}, {"type": "array", "items": {"type": "null"}, "description": "{minItems: 2}"}),
        ({"type": "integer", "minItems": True}, {"type": "integer", "description": "{minItems: true}"}),
        ({"enum": ["x", 1, None]}, {"enum": ["x", 1, None]}),
        ({"const": 1, "title": "T", "$comment": "no"}, {"const": 1, "title": "T"}),
        ({"type": "object", "const": {}, "additionalProperties": False}, {"type": "object", "properties": {}, "additionalProperties": False, "description": "{const: {}}"}),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"allOf": [{"$ref": "#/$defs/D"}]}, {"allOf": [{"$ref": "#/$defs/D"}]}),
        ({"type": ["object", "null"], "properties": {"b": {"type": "string"}}, "required": ["b", "gone"]}, {"type": ["object", "null"], "properties": {"b": {"type": "string"}}, "required": ["b"], "additionalProperties": False}),
        ({"type": "string", "default": "x", "not": {"const": "y"}}, {"type": "string", "description": '{default: "x", not: {"const":"y"}}'}),
    ],
)  # fmt: skip
def test_strict_schema_describes_what_the_subset_lacks(schema: Any, becomes: Any) -> None:
    """What the subset has stays, what it lacks is said in the description; the simulator takes the outcome."""
    made = strict_schema(of_a(schema, **{"$defs": {"D": {"type": "string"}}}))
    assert made["properties"]["a"] == becomes
    assert made["additionalProperties"] is False
    check_output_schema(made, ())


def test_strict_schema_is_that_of_the_sdk() -> None:
    """Anthropic's own SDK makes the same of a common schema."""
    schema = {
        "title": "Answer",
        "type": "object",
        "properties": {
            "age": {"type": "integer", "minimum": 1, "maximum": 9, "description": "Years"},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 1},
            "kind": {"enum": ["a", "b"]},
            "other": {"oneOf": [{"$ref": "#/$defs/Other"}, {"type": "null"}]},
        },
        "required": ["age"],
        "$defs": {"Other": {"type": "object", "properties": {"x": {"type": "number"}}}},
    }
    assert strict_schema(schema) == transform_schema(schema)


def test_root_reference_is_resolved() -> None:
    """A root that is a reference is what it names."""
    schema = {"$ref": "#/definitions/X", "definitions": {"X": of_a({"type": "string"})}}
    closed = {**of_a({"type": "string"}), "additionalProperties": False}
    assert strict_schema(schema) == {**closed, "definitions": {"X": closed}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {}},
        {"anyOf": [{"type": "object"}]},
        {"$ref": "#/nowhere"},
        of_a({}),
        of_a(True),
        of_a({"type": "object"}),
        of_a({"type": "object", "additionalProperties": {"type": "string"}}),
        of_a({"type": "object", "properties": {"b": {"type": "null"}}, "patternProperties": {"^x": {}}}),
        of_a({"$ref": "#"}),
        of_a({"$ref": "#/$defs/Gone"}),
        of_a({"$ref": "other.json"}),
        of_a(
            {"$ref": "#/$defs/X"},
            **{"$defs": {"X": of_a({"$ref": "#/$defs/Y"}), "Y": {"items": {"$ref": "#/$defs/X"}}}},
        ),
        of_a({"anyOf": [True]}),
    ],
    ids=[
        *("array", "choice", "no-root", "anything", "true", "map", "typed-map", "pattern-map"),
        *("itself", "nowhere", "elsewhere", "circle", "true-branch"),
    ],
)
def test_maps_recursion_and_any_type_are_inexpressible(schema: dict[str, Any]) -> None:
    """Maps, recursion and values of any type cannot be said; nor can a root that is no object."""
    with pytest.raises(UnsupportedSchema):
        strict_schema(schema)


def test_shared_references_are_followed_once() -> None:
    """A long chain and a wide lattice of references are followed once each."""
    names = [f"d{i}" for i in range(3_000)]
    defs = {
        name: of_a({"anyOf": [{"$ref": f"#/$defs/{after}"}, {"$ref": f"#/$defs/{after}"}]})
        for name, after in itertools.pairwise(names)
    }
    schema = of_a({"$ref": "#/$defs/d0"}, **{"$defs": {**defs, names[-1]: {"type": "string"}}})
    assert len(strict_schema(schema)["$defs"]) == 3_000


SIMPLE = {"type": "object", "properties": {"a": {"type": "string"}}}
MAP = {"type": "object", "additionalProperties": {"type": "string"}}


@pytest.mark.parametrize(
    ("model", "schema", "way"),
    [
        (HAIKU_4_5, SIMPLE, "format"),
        (SONNET_5_5, SIMPLE, "format"),
        (OPUS_5_5, SIMPLE, "format"),
        (OPUS_4_1, SIMPLE, "tool"),
        (SONNET_4_6, MAP, "tool"),
        (OPUS_5_5, MAP, "words"),
    ],
)
def test_answer_format_uses_structured_output_then_tool_then_words(model: str, schema: object, way: str) -> None:
    """By structured output where the schema and the model allow it, else by a tool, else by words."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    json = sent(to=model, response_format=form).json
    found = {"format": "format" in json.get("output_config", {}), "tool": "tools" in json, "words": "system" in json}
    assert [name for name, used in found.items() if used] == [way]


def test_unsound_answer_schema_is_named() -> None:
    """A schema that is none is named."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"properties": {"a": 1}}}}
    assert refusal(response_format=form).param == "response_format.json_schema.schema.properties.a"
