"""What Gemini refuses among function declarations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

Ask = Callable[..., Response]


def declared(name: str = "f", **members: Any) -> dict[str, Any]:
    return {"tools": [{"functionDeclarations": [{"name": name, **members}]}]}


def parameters(**schema: Any) -> dict[str, Any]:
    return declared(parameters={"type": "OBJECT", "properties": {"a": schema}})


def calling(**config: Any) -> dict[str, Any]:
    return {"toolConfig": {"functionCallingConfig": config}}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("digit first", declared("2fa"), "Must start with a letter or an underscore"),
    ("no name", declared(""), "Invalid function name"),
    ("space", declared("a b"), "Invalid function name"),
    ("both", declared(parameters={"type": "OBJECT"}, parametersJsonSchema={}), "only one of parameters"),
    ("strict", declared(strict=True), "Unknown name \"strict\" at 'tools[0].functionDeclarations[0]'"),
    ("$schema", declared(parameters={"type": "OBJECT", "$schema": "x"}), 'Unknown name "$schema"'),
    (
        "additionalProperties",
        declared(parameters={"type": "OBJECT", "additionalProperties": False}),
        "Cannot find field",
    ),
    ("const", parameters(type="STRING", const="x"), 'Unknown name "const"'),
    ("not an object", declared(parameters={"type": "STRING"}), "schema must be of type OBJECT"),
    ("type list", parameters(type=["STRING", "NULL"]), "Invalid value at"),
    ("no type", parameters(description="x"), "type: must be specified"),
    ("enum of numbers", parameters(type="INTEGER", enum=["1"]), "only allowed for STRING type"),
    ("empty enum value", parameters(type="STRING", enum=[""]), "cannot be empty"),
    ("format", parameters(type="STRING", format="email"), "only 'enum' and 'date-time'"),
    ("empty object", parameters(type="OBJECT"), "should be non-empty for OBJECT type"),
    ("array without items", parameters(type="ARRAY"), "items: missing field."),
    ("items", parameters(type="ARRAY", items={"type": "OBJECT"}), "should be non-empty"),
    ("anyOf", parameters(anyOf=[{"type": "ARRAY"}]), "missing field"),
    ("undeclared", declared(parameters={"type": "OBJECT", "required": ["a"]}), "required[0]: property is not defined"),
    ("array schema", declared(parametersJsonSchema={"type": "array"}), "JSON schema of type object"),
    ("nothing", {"tools": [{}]}, "must have one initialized field"),
    (
        "twice",
        {"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "f"}]}]},
        "Duplicate function declaration found: f",
    ),
    ("config alone", calling(mode="AUTO"), "set without function_declarations"),
    (
        "names with AUTO",
        {**declared(), **calling(mode="AUTO", allowedFunctionNames=["f"])},
        "only when function calling mode is ANY",
    ),
    (
        "other name",
        {**declared(), **calling(mode="ANY", allowedFunctionNames=["g"])},
        "are declared in function_declarations: g",
    ),
    ("mode", {**declared(), **calling(mode="REQUIRED")}, "Invalid value at"),
]


@pytest.mark.parametrize(("fields", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_declaration_outside_the_rules_is_a_400(gemini: Ask, fields: dict[str, Any], message: str) -> None:
    """A declaration outside Gemini's rules is a 400."""
    response = gemini(**fields)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    (
        "JSON schema",
        declared(
            "_2fa.x-y:z", parametersJsonSchema={"type": "object", "$schema": "x", "properties": {"a": {"const": 1}}}
        ),
    ),
    ("OpenAPI", parameters(type="ARRAY", items={"type": "string", "enum": ["a"]}, minItems="1")),
    ("bare", declared()),
    ("own tool", {"tools": [{"googleSearch": {}}]}),
    ("validated", {**declared(), **calling(mode="VALIDATED", allowedFunctionNames=["f"])}),
]


@pytest.mark.parametrize("fields", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_documented_declarations_are_accepted(gemini: Ask, fields: dict[str, Any]) -> None:
    """Declarations as documented are taken."""
    response = gemini(**fields)
    assert response.status_code == 200, response.text


def test_mode_any_forces_and_none_forbids_calls(gemini: Ask) -> None:
    """ANY forces a call among the allowed names, NONE forbids one."""
    tools = {"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]}
    forced = gemini(**tools, **calling(mode="ANY", allowedFunctionNames=["g"])).json()["candidates"][0]["content"][
        "parts"
    ]
    none = gemini("Call g now", **tools, **calling(mode="NONE")).json()["candidates"][0]["content"]["parts"]
    assert forced[0]["functionCall"]["name"] == "g"
    assert "functionCall" not in none[0]
