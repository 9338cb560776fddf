"""The JSON schemas that structured outputs take."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.claude.output_schemas import check_output_schema
from llm_simulator.validators import Problem


def shut(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("array root", {"type": "array", "items": {"type": "string"}}, "root of the schema"),
    ("open object", {"type": "object", "properties": {}}, "'additionalProperties' must be explicitly set to false"),
    ("open inner", shut(a={"type": "array", "items": {"type": "object"}}), "'additionalProperties'"),
    ("minimum", shut(a={"type": "integer", "minimum": 1}), "For 'integer' type, property 'minimum' is not supported"),
    ("maxLength", shut(a={"maxLength": 3}), "For 'string' type, property 'maxLength'"),
    ("minItems", shut(a={"type": "array", "items": {}, "minItems": 2}), "other than 0 or 1"),
    ("format", shut(a={"type": "string", "format": "regex"}), "format 'regex' is not supported"),
    ("oneOf", shut(a={"oneOf": []}), "'oneOf' is not supported"),
    ("undeclared", {**shut(), "required": ["b"]}, "required property 'b' is not defined"),
    ("outside", shut(a={"$ref": "https://a.example/s"}), "external $ref"),
    ("dangling", shut(a={"$ref": "#/$defs/b"}), "cannot be resolved"),
    ("circle", {**shut(a={"$ref": "#/$defs/b"}), "$defs": {"b": shut(c={"$ref": "#/$defs/b"})}}, "Circular reference"),
    ("boolean", shut(a=True), "boolean schemas"),
]


@pytest.mark.parametrize(("schema", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_schema_outside_the_subset_is_refused_by_keyword(schema: dict[str, Any], message: str) -> None:
    """A schema outside the supported subset is refused, naming the keyword."""
    with pytest.raises(Problem) as caught:
        check_output_schema(schema, ("output_config", "format", "schema"))
    assert message in caught.value.message


ACCEPTED: list[dict[str, Any]] = [
    shut(a={"type": "string", "format": "date"}, b={"anyOf": [{"type": "null"}, {"type": "number"}]}),
    {
        **shut(a={"$ref": "#/$defs/b"}, c={"$ref": "#/$defs/b"}),
        "$defs": {"b": shut(d={"enum": ["x"]})},
        "required": ["a"],
    },
    {"anyOf": [shut(a={"type": "array", "items": {"type": "string"}, "minItems": 1})]},
]


@pytest.mark.parametrize("schema", ACCEPTED)
def test_schema_in_the_subset_is_accepted(schema: dict[str, Any]) -> None:
    """The supported subset passes; a definition may be used twice."""
    try:
        check_output_schema(schema, ())
    except Problem as problem:
        pytest.fail(problem.message)
