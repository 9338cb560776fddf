"""`response_format` in Claude's terms: its own structured output, else a tool to answer with, else an instruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.completion import Json
from gateway.errors import InvalidRequest
from gateway.providers.claude.profiles import ClaudeProfile
from gateway.providers.claude.property_names import legal_properties
from gateway.providers.claude.schema import object_schema, sound
from gateway.providers.claude.strict_schema import UnsupportedSchema, strict_schema

JSON_ONLY = "Answer with one JSON object and nothing else: no prose before or after it, no code fence."
ANSWER_TOOL = "answer_in_json"

_PATH = "response_format.json_schema.schema"


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
