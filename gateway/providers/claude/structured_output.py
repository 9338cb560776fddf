"""Structured output: the strict subset of JSON schema, also used by strict tools, and `response_format` in Claude's terms.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.completion import Json
from gateway.errors import InvalidRequest
from gateway.providers.claude.json_schema import (
    Schema,
    object_schema,
    rename_illegal_properties,
    resolve_branch,
    resolve_reference,
    subschemas,
    validate_schema,
)
from gateway.providers.claude.profiles import ClaudeProfile

JSON_ONLY = "Answer with one JSON object and nothing else: no prose before or after it, no code fence."
ANSWER_TOOL = "answer_in_json"

_PATH = "response_format.json_schema.schema"

_FORMATS = frozenset(("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"))
_SUPPORTED = ("$ref", "enum", "const", "title", "type", "required")
_IGNORED = frozenset(("$schema", "$id", "$anchor", "$comment", "deprecated", "readOnly", "writeOnly", "strict"))


class UnsupportedSchema(Exception):
    """The strict subset cannot express the schema."""


def strict_schema(schema: Schema) -> dict[str, Any]:
    """The schema in the strict subset; keywords outside of it move into descriptions.

    Objects get `additionalProperties: false`. Raises UnsupportedSchema for recursion, objects with arbitrary keys and values
    of any type.
    """
    root = dict(schema)
    if "$ref" in root:
        target = resolve_branch(root, root)
        root = {**{name: root[name] for name in ("$defs", "definitions") if name in root}, **target}
    if _type_of(root) != "object":
        raise UnsupportedSchema("the root is not an object")
    _refuse_recursion(root)
    return _strict(root)


def _refuse_recursion(root: Schema) -> None:
    """Depth-first search over references, each followed once, with an explicit stack."""
    finished: set[str] = set()
    following: dict[str, Iterator[str]] = {"#": _references(root)}
    while following:
        reference = next(next(reversed(following.values())), None)
        if reference is None:
            finished.add(following.popitem()[0])
        elif reference in following:
            raise UnsupportedSchema(f"{reference} contains itself")
        elif reference not in finished:
            target = resolve_reference(root, reference)
            if not isinstance(target, Mapping):
                raise UnsupportedSchema(f"{reference} leads nowhere")
            following[reference] = _references(target)


def _references(schema: Any) -> Iterator[str]:
    """All references below a schema, except inside definitions, which count where they are used."""
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    for keyword, part in subschemas(schema):
        if keyword not in ("$defs", "definitions"):
            yield from _references(part)


def _type_of(schema: Schema) -> Any:
    """The declared type, else the type that the keywords imply."""
    if "type" in schema:
        return schema["type"]
    return "object" if "properties" in schema else "array" if "items" in schema else None


def _strict(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise UnsupportedSchema("a schema that is true or false")
    remaining = dict(schema)
    strict: dict[str, Any] = {}
    for keyword in ("$defs", "definitions"):
        if keyword in remaining:
            strict[keyword] = {name: _strict(part) for name, part in remaining.pop(keyword).items()}
    kind = _type_of(remaining)
    if kind is not None:
        remaining["type"] = kind
    for keyword in _SUPPORTED:
        if keyword in remaining and _has_plain_values(keyword, remaining[keyword]):
            strict[keyword] = remaining.pop(keyword)
    choices = remaining.pop("oneOf", None) or remaining.pop("anyOf", None)
    if choices:
        strict["anyOf"] = [_strict(part) for part in choices]
    if "allOf" in remaining:
        strict["allOf"] = [_strict(part) for part in remaining.pop("allOf")]
    if not strict.keys() & {"type", "$ref", "enum", "const", "anyOf", "allOf"}:
        raise UnsupportedSchema("a value of any type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        _close_object(strict, remaining)
    _copy_type_keywords(strict, remaining)
    return _move_rest_to_description(strict, remaining)


def _has_plain_values(keyword: str, value: Any) -> bool:
    """Whether `enum` and `const` contain only strings, numbers, booleans and null."""
    values = value if keyword == "enum" else [value] if keyword == "const" else []
    return not any(isinstance(item, dict | list) for item in values)


def _close_object(strict: dict[str, Any], remaining: dict[str, Any]) -> None:
    """Close an object: all properties named, no others. Raises UnsupportedSchema for a map with arbitrary keys."""
    properties = remaining.pop("properties", {})
    additional = remaining.pop("additionalProperties", None)
    if remaining.get("patternProperties") or (not properties and additional is not False):
        raise UnsupportedSchema("an object with any keys")
    strict["properties"] = {name: _strict(part) for name, part in properties.items()}
    strict["additionalProperties"] = False
    if "required" in strict:
        strict["required"] = [name for name in strict["required"] if name in properties]


def _copy_type_keywords(strict: dict[str, Any], remaining: dict[str, Any]) -> None:
    if isinstance(remaining.get("format"), str) and remaining["format"] in _FORMATS:
        strict["format"] = remaining.pop("format")
    if "items" in remaining:
        strict["items"] = _strict(remaining.pop("items"))
    if type(remaining.get("minItems")) is int and remaining["minItems"] in (0, 1):
        strict["minItems"] = remaining.pop("minItems")


def _move_rest_to_description(strict: dict[str, Any], remaining: dict[str, Any]) -> dict[str, Any]:
    """Append unsupported keywords to the description, as Anthropic's own SDKs do."""
    description = remaining.pop("description", None)
    notes = [
        f"{keyword}: {orjson.dumps(value).decode()}" for keyword, value in remaining.items() if keyword not in _IGNORED
    ]
    texts = [description] if description else []
    if notes:
        texts.append("{" + ", ".join(notes) + "}")
    if texts:
        strict["description"] = "\n\n".join(texts)
    return strict


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """How a JSON response is enforced: by `format` (for `output_config`), by a forced `tool`, or by an `instruction`.

    `properties` maps renamed properties of the tool to the client's names.
    """

    format: dict[str, Any] | None = None
    tool: dict[str, Any] | None = None
    instruction: str | None = None
    properties: dict[str, str] | None = None


_PLAIN_TEXT = AnswerFormat()


def answer_format(body: Json, *, profile: ClaudeProfile) -> AnswerFormat:
    """`response_format` for this model. Raises InvalidRequest for a strict schema that the model cannot guarantee."""
    response_format = body.get("response_format")
    if not response_format:
        return _PLAIN_TEXT
    if response_format.get("type") == "json_object":
        return AnswerFormat(instruction=JSON_ONLY)
    if response_format.get("type") != "json_schema":
        return _PLAIN_TEXT
    json_schema = response_format["json_schema"]
    schema = validate_schema(json_schema["schema"], _PATH)
    if profile.structured_output:
        try:
            strict = strict_schema(schema)
            if json_schema.get("description") and "description" not in strict:
                strict["description"] = json_schema["description"]
            return AnswerFormat(format={"type": "json_schema", "schema": strict})
        except UnsupportedSchema as problem:
            reason = str(problem)
    else:
        reason = "this model has no structured output"
    return _emulate(json_schema, schema, profile=profile, reason=reason)


def _emulate(json_schema: Json, schema: dict[str, Any], *, profile: ClaudeProfile, reason: str) -> AnswerFormat:
    if schema.get("type", "object") != "object":
        raise InvalidRequest(
            f"Invalid '{_PATH}': the root must be of type 'object'.", param=_PATH, code="invalid_json_schema"
        )
    if profile.forced_tools:
        legal, renamed = rename_illegal_properties(object_schema(schema))
        description = json_schema.get("description") or "Gives the answer. Call it once, with the whole answer."
        return AnswerFormat(
            tool={"name": ANSWER_TOOL, "description": description, "input_schema": legal}, properties=renamed
        )
    if json_schema.get("strict"):
        message = f"Invalid '{_PATH}': this Claude model cannot be held to the schema ({reason})."
        raise InvalidRequest(message, param=_PATH, code="unsupported_json_schema")
    schema_json = orjson.dumps(schema).decode()
    return AnswerFormat(instruction=f"{JSON_ONLY} The object must match this JSON schema:\n{schema_json}")
