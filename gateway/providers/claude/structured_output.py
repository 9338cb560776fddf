"""The strict subset of JSON schema: structured output and strict tools.

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
    branch_of,
    legal_properties,
    object_schema,
    parts,
    resolved,
    sound,
)
from gateway.providers.claude.profiles import ClaudeProfile

JSON_ONLY = "Answer with one JSON object and nothing else: no prose before or after it, no code fence."
ANSWER_TOOL = "answer_in_json"

_PATH = "response_format.json_schema.schema"

_FORMATS = frozenset(("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"))
_KEPT = ("$ref", "enum", "const", "title", "type", "required")
_DROPPED = frozenset(("$schema", "$id", "$anchor", "$comment", "deprecated", "readOnly", "writeOnly", "strict"))


class UnsupportedSchema(Exception):
    """The schema means something that the strict subset cannot say."""


def strict_schema(schema: Schema) -> dict[str, Any]:
    """The schema in the strict subset; what it cannot say stands in descriptions. Raises Inexpressible.

    Objects are closed. Recursion, maps from any key and values of any type cannot be said at all.
    """
    root = dict(schema)
    if "$ref" in root:
        target = branch_of(root, root)
        root = {**{name: root[name] for name in ("$defs", "definitions") if name in root}, **target}
    if _kind(root) != "object":
        raise UnsupportedSchema("the root is not an object")
    _refuse_recursion(root)
    return _strict(root)


def _refuse_recursion(root: Schema) -> None:
    """Follows each reference once, however often it is used, and with no stack but its own."""
    finished: set[str] = set()
    following: dict[str, Iterator[str]] = {"#": _references(root)}
    while following:
        reference = next(next(reversed(following.values())), None)
        if reference is None:
            finished.add(following.popitem()[0])
        elif reference in following:
            raise UnsupportedSchema(f"{reference} contains itself")
        elif reference not in finished:
            target = resolved(root, reference)
            if not isinstance(target, Mapping):
                raise UnsupportedSchema(f"{reference} leads nowhere")
            following[reference] = _references(target)


def _references(schema: Any) -> Iterator[str]:
    """Each reference below a schema, definitions apart: those count where they are used."""
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        yield schema["$ref"]
    for word, part in parts(schema):
        if word not in ("$defs", "definitions"):
            yield from _references(part)


def _kind(schema: Schema) -> Any:
    """The declared type, else the one its keywords speak of."""
    if "type" in schema:
        return schema["type"]
    return "object" if "properties" in schema else "array" if "items" in schema else None


def _strict(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise UnsupportedSchema("a schema that is true or false")
    rest = dict(schema)
    strict: dict[str, Any] = {}
    for word in ("$defs", "definitions"):
        if word in rest:
            strict[word] = {name: _strict(part) for name, part in rest.pop(word).items()}
    kind = _kind(rest)
    if kind is not None:
        rest["type"] = kind
    for word in _KEPT:
        if word in rest and _plain(word, rest[word]):
            strict[word] = rest.pop(word)
    choices = rest.pop("oneOf", None) or rest.pop("anyOf", None)
    if choices:
        strict["anyOf"] = [_strict(part) for part in choices]
    if "allOf" in rest:
        strict["allOf"] = [_strict(part) for part in rest.pop("allOf")]
    if not strict.keys() & {"type", "$ref", "enum", "const", "anyOf", "allOf"}:
        raise UnsupportedSchema("a value of any type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        _close(strict, rest)
    _keep_by_type(strict, rest)
    return _described(strict, rest)


def _plain(word: str, value: Any) -> bool:
    """Whether the keyword can stay: choices are of texts, numbers, true, false and null only."""
    values = value if word == "enum" else [value] if word == "const" else []
    return not any(isinstance(each, dict | list) for each in values)


def _close(strict: dict[str, Any], rest: dict[str, Any]) -> None:
    """An object with all its properties named. One that is only a map has nothing left and is refused."""
    properties = rest.pop("properties", {})
    further = rest.pop("additionalProperties", None)
    if rest.get("patternProperties") or (not properties and further is not False):
        raise UnsupportedSchema("an object with any keys")
    strict["properties"] = {name: _strict(part) for name, part in properties.items()}
    strict["additionalProperties"] = False
    if "required" in strict:
        strict["required"] = [name for name in strict["required"] if name in properties]


def _keep_by_type(strict: dict[str, Any], rest: dict[str, Any]) -> None:
    if isinstance(rest.get("format"), str) and rest["format"] in _FORMATS:
        strict["format"] = rest.pop("format")
    if "items" in rest:
        strict["items"] = _strict(rest.pop("items"))
    if type(rest.get("minItems")) is int and rest["minItems"] in (0, 1):
        strict["minItems"] = rest.pop("minItems")


def _described(strict: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """What is left over becomes a sentence of the description, as Anthropic's own SDKs do."""
    description = rest.pop("description", None)
    notes = [f"{word}: {orjson.dumps(value).decode()}" for word, value in rest.items() if word not in _DROPPED]
    texts = [description] if description else []
    if notes:
        texts.append("{" + ", ".join(notes) + "}")
    if texts:
        strict["description"] = "\n\n".join(texts)
    return strict


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What makes the answer JSON: one of `format` (for `output_config`), `tool` (its definition) and `instruction`.

    `properties` are the tool's renamed properties, name upstream -> the client's.
    """

    format: dict[str, Any] | None = None
    tool: dict[str, Any] | None = None
    instruction: str | None = None
    properties: dict[str, str] | None = None


_AS_TEXT = AnswerFormat()


def answer_format(body: Json, *, profile: ClaudeProfile) -> AnswerFormat:
    """Raises InvalidRequest for a strict schema that this model cannot be held to."""
    asked = body.get("response_format")
    if not asked:
        return _AS_TEXT
    if asked.get("type") == "json_object":
        return AnswerFormat(instruction=JSON_ONLY)
    if asked.get("type") != "json_schema":
        return _AS_TEXT
    described = asked["json_schema"]
    schema = sound(described["schema"], _PATH)
    if profile.structured_output:
        try:
            strict = strict_schema(schema)
            if described.get("description") and "description" not in strict:
                strict["description"] = described["description"]
            return AnswerFormat(format={"type": "json_schema", "schema": strict})
        except UnsupportedSchema as problem:
            reason = str(problem)
    else:
        reason = "this model has no structured output"
    return _emulated(described, schema, profile=profile, reason=reason)


def _emulated(described: Json, schema: dict[str, Any], *, profile: ClaudeProfile, reason: str) -> AnswerFormat:
    if schema.get("type", "object") != "object":
        raise InvalidRequest(
            f"Invalid '{_PATH}': the root must be of type 'object'.", param=_PATH, code="invalid_json_schema"
        )
    if profile.forced_tools:
        legal, renamed = legal_properties(object_schema(schema))
        description = described.get("description") or "Gives the answer. Call it once, with the whole answer."
        return AnswerFormat(
            tool={"name": ANSWER_TOOL, "description": description, "input_schema": legal}, properties=renamed
        )
    if described.get("strict"):
        message = f"Invalid '{_PATH}': this Claude model cannot be held to the schema ({reason})."
        raise InvalidRequest(message, param=_PATH, code="unsupported_json_schema")
    told = orjson.dumps(schema).decode()
    return AnswerFormat(instruction=f"{JSON_ONLY} The object must match this JSON schema:\n{told}")
