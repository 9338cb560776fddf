"""Validates function declarations and their configuration as Gemini does."""

from __future__ import annotations

import re
from typing import Any

from llm_simulator.models import GeminiModel
from llm_simulator.validators import Path, Problem

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
BAD_NAME = (
    "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), "
    "dots (.), colons (:), or dashes (-), with a maximum length of 128."
)


def check_tools(body: dict[str, Any], model: GeminiModel) -> None:
    names: list[str] = []
    for index, tool in enumerate(body.get("tools", [])):
        if not tool:
            raise Problem(("tools", index), "value", "required one_of 'tool_type' must have one initialized field")
        for number, declared in enumerate(tool.get("functionDeclarations", [])):
            check_declaration(declared, ("tools", index, "function_declarations", number))
            names.append(declared["name"])
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate:
        raise Problem((), "value", f"Duplicate function declaration found: {duplicate}")
    check_calling(body.get("toolConfig", {}).get("functionCallingConfig"), names)


def check_declaration(declared: dict[str, Any], path: Path) -> None:
    if not NAME.fullmatch(declared.get("name", "")):
        raise Problem((*path, "name"), "value", BAD_NAME)
    if "parameters" in declared and "parametersJsonSchema" in declared:
        raise Problem(path, "value", "only one of parameters and parameters_json_schema can be set.")
    if "parameters" in declared:
        if declared["parameters"].get("type") not in ("OBJECT", None):
            raise Problem((*path, "parameters"), "value", "schema must be of type OBJECT")
        check_schema(declared["parameters"], (*path, "parameters"), top=True)
    json_schema = declared.get("parametersJsonSchema", {"type": "object"})
    if not isinstance(json_schema, dict) or json_schema.get("type", "object") != "object":
        raise Problem((*path, "parameters_json_schema"), "value", "schema must be a JSON schema of type object")


def check_schema(schema: dict[str, Any], path: Path, *, top: bool = False) -> None:
    """Check the rules of the OpenAPI subset; unknown keywords were rejected before."""
    kind = schema.get("type")
    if kind is None and "anyOf" not in schema and not top:
        raise Problem((*path, "type"), "value", "must be specified")
    if schema.get("enum") and kind != "STRING":
        raise Problem((*path, "enum"), "value", "only allowed for STRING type")
    if "" in schema.get("enum", []):
        raise Problem((*path, "enum", schema["enum"].index("")), "value", "cannot be empty")
    if schema.get("format") and kind == "STRING" and schema["format"] not in ("enum", "date-time"):
        raise Problem((*path, "format"), "value", "only 'enum' and 'date-time' are supported for STRING type")
    if kind == "OBJECT" and not top and not schema.get("properties"):
        raise Problem((*path, "properties"), "value", "should be non-empty for OBJECT type")
    if kind == "ARRAY" and "items" not in schema:
        raise Problem((*path, "items"), "value", "missing field.")
    for index, name in enumerate(schema.get("required", [])):
        if name not in schema.get("properties", {}):
            raise Problem((*path, "required", index), "value", "property is not defined")
    for name, inner in schema.get("properties", {}).items():
        check_schema(inner, (*path, f"properties[{name}]"))
    if "items" in schema:
        check_schema(schema["items"], (*path, "items"))
    for index, inner in enumerate(schema.get("anyOf", [])):
        check_schema(inner, (*path, "any_of", index))


def check_calling(calling: dict[str, Any] | None, names: list[str]) -> None:
    if not calling:
        return
    if not names:
        raise Problem((), "value", "Function calling config is set without function_declarations.")
    allowed, mode = calling.get("allowedFunctionNames", []), calling.get("mode", "AUTO")
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise Problem((), "value", "Please set allowed_function_names only when function calling mode is ANY.")
    missing = [name for name in allowed if name not in names]
    if missing:
        known = "Please ensure that allowed_function_names are declared in function_declarations"
        raise Problem((), "value", f"{known}: {missing[0]}")
