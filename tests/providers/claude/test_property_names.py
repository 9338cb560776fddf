"""Property names that the API refuses."""

from __future__ import annotations

from gateway.providers.claude.property_names import legal_properties, renamed_keys


def test_legal_property_names_are_unchanged() -> None:
    """Legal names, keywords among them, are left as they are."""
    schema = {"properties": {"type": {"properties": {"a.b-c_1": True}}, "required": {"type": "null"}}}
    assert legal_properties(schema) == (schema, {})


def test_property_is_renamed_wherever_it_stands() -> None:
    """A name is changed wherever a property stands, never where a keyword or a definition does, and stays unlike others."""
    schema = {
        "properties": {"a b": {"type": "string"}, "a_b": {"items": {"$ref": "#/$defs/a b"}}, "a*b": {"enum": ["a b"]}},
        "required": ["a b"],
        "$defs": {"a b": {"properties": {"é" * 70: {}}}},
        "anyOf": [{"required": ["a*b"]}],
        "additionalProperties": False,
    }
    made, renamed = legal_properties(schema)
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
    assert legal_properties({"properties": {"": True}}) == ({"properties": {"_": True}}, {"_": ""})


def test_members_are_renamed_at_every_depth_and_values_never() -> None:
    """Members are renamed at every depth, values never."""
    assert renamed_keys({"a": [{"a": "a"}, 1]}, {"a": "b"}) == {"b": [{"b": "a"}, 1]}
