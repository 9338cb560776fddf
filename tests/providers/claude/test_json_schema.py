"""Schemas as they come, and as the input of a tool."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.providers.claude.json_schema import (
    object_schema,
    rename_illegal_properties,
    rename_keys,
    resolve_reference,
    validate_schema,
)

A, B = {"type": "string"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": []}, "p.properties"),
        ({"properties": {"a": "string"}}, "p.properties.a"),
        ({"anyOf": {}}, "p.anyOf"),
        ({"anyOf": [1]}, "p.anyOf[0]"),
        ({"items": [A]}, "p.items"),
        ({"type": 1}, "p.type"),
        ({"type": [1]}, "p.type"),
        ({"required": "a"}, "p.required"),
        ({"required": [1]}, "p.required"),
        ({"enum": {}}, "p.enum"),
        ({"$ref": 1}, "p.$ref"),
        ({"description": 1}, "p.description"),
    ],
)
def test_impossible_keyword_value_is_named(schema: Any, path: str) -> None:
    """A keyword with a value that it cannot have is named."""
    with pytest.raises(InvalidRequest) as caught:
        validate_schema(schema, "p")
    assert caught.value.param == path


def test_null_or_empty_keywords_count_as_absent() -> None:
    """Keywords that are null or list nothing are as good as absent; a default or a constant may be null."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": None,
        "required": [],
        "items": None,
        "const": None,
        "default": None,
    }
    assert validate_schema(schema, "p") == {"type": "object", "const": None, "default": None}
    assert validate_schema(True, "p") is True


def test_property_may_be_named_like_a_keyword() -> None:
    """A property may be called like a keyword."""
    schema = {"properties": {"type": A, "properties": B, "$ref": A, "enum": {"enum": ["x"]}, "required": A}}
    assert object_schema(validate_schema(schema, "p")) == {**schema, "type": "object"}


@pytest.mark.parametrize(
    ("schema", "becomes"),
    [
        ({}, {"properties": {}}),
        ({"type": ["object", "null"]}, {"properties": {}}),
        (
            {"$ref": "#/$defs/X", "$defs": {"X": {"properties": {"a": A}}}},
            {"properties": {"a": A}, "$defs": {"X": {"properties": {"a": A}}}},
        ),
        ({"$ref": "#"}, {"properties": {}}),
        ({"$ref": "#/nowhere"}, {"properties": {}}),
        (
            {"$ref": "#/$defs/X", "$defs": {"X": {"$ref": "#/$defs/X"}}},
            {"properties": {}, "$defs": {"X": {"$ref": "#/$defs/X"}}},
        ),
        (
            {"properties": {"a": A}, "required": ["a"], "allOf": [{"properties": {"b": B}, "required": ["b"]}, True]},
            {"properties": {"a": A, "b": B}, "required": ["a", "b"]},
        ),
        (
            {
                "anyOf": [
                    {"properties": {"kind": A, "a": A}, "required": ["kind", "a"]},
                    {"$ref": "#/$defs/Y"},
                    {"type": "null"},
                ],
                "$defs": {"Y": {"properties": {"kind": B, "b": B}, "required": ["kind", "b"]}},
            },
            {
                "properties": {"kind": A, "a": A, "b": B},
                "required": ["kind"],
                "$defs": {"Y": {"properties": {"kind": B, "b": B}, "required": ["kind", "b"]}},
            },
        ),
        ({"oneOf": [{"properties": {"a": A}, "required": ["a"]}, {}]}, {"properties": {"a": A}}),
    ],
    ids=["empty", "nullable", "reference", "itself", "nowhere", "circle", "all", "any", "one"],
)
def test_tool_input_schema_is_always_an_object(schema: dict[str, Any], becomes: dict[str, Any]) -> None:
    """The root of a tool's input is an object, whatever the client wrote it as."""
    assert object_schema(schema) == {"type": "object", **becomes}


@pytest.mark.parametrize(
    ("reference", "found"),
    [("#/$defs/a~1b", A), ("#/$defs/c~0d", B), ("#/$defs/a~1b/type", "string"), ("other.json", None)],
)
def test_reference_is_resolved_as_a_json_pointer(reference: str, found: object) -> None:
    """References are JSON pointers into the schema itself."""
    assert resolve_reference({"$defs": {"a/b": A, "c~d": B}}, reference) == found


def test_legal_property_names_are_unchanged() -> None:
    """Legal names, keywords among them, are left as they are."""
    schema = {"properties": {"type": {"properties": {"a.b-c_1": True}}, "required": {"type": "null"}}}
    assert rename_illegal_properties(schema) == (schema, {})


def test_property_is_renamed_wherever_it_stands() -> None:
    """A name is changed wherever a property stands, never where a keyword or a definition does, and stays unlike others."""
    schema = {
        "properties": {"a b": {"type": "string"}, "a_b": {"items": {"$ref": "#/$defs/a b"}}, "a*b": {"enum": ["a b"]}},
        "required": ["a b"],
        "$defs": {"a b": {"properties": {"é" * 70: {}}}},
        "anyOf": [{"required": ["a*b"]}],
        "additionalProperties": False,
    }
    made, renamed = rename_illegal_properties(schema)
    assert renamed == {"a_b_2": "a b", "a_b_3": "a*b", "_" * 60: "é" * 70}
    back = {client: ours for ours, client in renamed.items()}
    assert made == {
        "properties": {
            back["a b"]: {"type": "string"},
            "a_b": {"items": {"$ref": "#/$defs/a b"}},
            back["a*b"]: {"enum": ["a b"]},
        },
        "required": [back["a b"]],
        "$defs": {"a b": {"properties": {"_" * 60: {}}}},
        "anyOf": [{"required": [back["a*b"]]}],
        "additionalProperties": False,
    }


def test_empty_property_name_gets_a_name() -> None:
    """Even a name without characters gets one."""
    assert rename_illegal_properties({"properties": {"": True}}) == ({"properties": {"_": True}}, {"_": ""})


def test_members_are_renamed_at_every_depth_and_values_never() -> None:
    """Members are renamed at every depth, values never."""
    assert rename_keys({"a": [{"a": "a"}, 1]}, {"a": "b"}) == {"b": [{"b": "a"}, 1]}
