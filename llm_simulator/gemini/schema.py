"""The documented fields of a generateContent request, in camelCase or snake_case; anything else is an unknown name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from llm_simulator.validators import (
    Check,
    Path,
    Problem,
    anything,
    array,
    boolean,
    decode_base64,
    integer,
    mapping,
    number,
    record,
    string,
)

TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")


def camel(name: str) -> str:
    """`function_call` -> `functionCall`: protobuf JSON takes both."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name) if "_" in name.strip("_") else name


message = partial(record, rename=camel, skip_null=True)


def enum(*names: str) -> Check:
    """A protobuf enum; names are upper case, and lower case is accepted as in the API."""

    def check(value: Any, path: Path) -> str:
        if not isinstance(value, str) or value.upper() not in names:
            raise Problem(path, "type", f'"{value}"')
        return value.upper()

    return check


def bytes_field(value: Any, path: Path) -> str:
    text: str = string()(value, path)
    try:
        decode_base64(text)
    except ValueError:
        raise Problem(path, "type", f'Base64 decoding failed for "{text[:40]}"') from None
    return text


def struct(value: Any, path: Path) -> dict[str, Any]:
    """google.protobuf.Struct: an object."""
    return mapping(value, path)


def _schema(value: Any, path: Path) -> dict[str, Any]:
    read: dict[str, Any] = SCHEMA(value, path)
    return read


def _schemas_by_name(value: Any, path: Path) -> dict[str, Any]:
    return {name: _schema(item, (*path, name)) for name, item in mapping(value, path).items()}


def integer_text(value: Any, path: Path) -> int:
    """int64 fields travel as numbers or as strings."""
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else int(integer()(value, path))


SCHEMA = message(
    {
        "type": enum(*TYPES),
        "format": string(),
        "title": string(),
        "description": string(),
        "nullable": boolean,
        "enum": array(string()),
        "items": _schema,
        "maxItems": integer_text,
        "minItems": integer_text,
        "properties": _schemas_by_name,
        "required": array(string()),
        "minProperties": integer_text,
        "maxProperties": integer_text,
        "minimum": number(),
        "maximum": number(),
        "minLength": integer_text,
        "maxLength": integer_text,
        "pattern": string(),
        "example": anything,
        "anyOf": array(_schema),
        "propertyOrdering": array(string()),
        "default": anything,
    }
)
"""The OpenAPI subset; `additionalProperties`, `$ref` and others belong to the JSON-schema fields."""

BLOB = message({"mimeType": string(), "data": bytes_field, "displayName": string()})
PART_FIELDS: dict[str, Check] = {
    "text": string(),
    "inlineData": BLOB,
    "fileData": message({"mimeType": string(), "fileUri": string(), "displayName": string()}),
    "functionCall": message({"id": string(), "name": string(), "args": struct}),
    "functionResponse": message(
        {
            "id": string(),
            "name": string(),
            "response": struct,
            "parts": array(message({"inlineData": BLOB, "fileData": mapping})),
            "willContinue": boolean,
            "scheduling": string(),
        }
    ),
    "executableCode": mapping,
    "codeExecutionResult": mapping,
    "thought": boolean,
    "thoughtSignature": string(),
    "videoMetadata": mapping,
    "mediaResolution": mapping,
    "partMetadata": mapping,
}
DATA_FIELDS: Sequence[str] = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
)
CONTENT = message({"role": string(), "parts": array(message(PART_FIELDS))})
DECLARATION = message(
    {
        "name": string(),
        "description": string(),
        "parameters": _schema,
        "parametersJsonSchema": anything,
        "response": _schema,
        "responseJsonSchema": anything,
        "behavior": enum("UNSPECIFIED", "BLOCKING", "NON_BLOCKING"),
    }
)
OWN_TOOLS = (
    "googleSearch",
    "googleSearchRetrieval",
    "codeExecution",
    "urlContext",
    "computerUse",
    "fileSearch",
    "googleMaps",
)
TOOL = message(
    {"functionDeclarations": array(DECLARATION), **dict.fromkeys(OWN_TOOLS, mapping), "mcpServers": array(mapping)}
)
GENERATION_CONFIG = message(
    {
        "candidateCount": integer(),
        "stopSequences": array(string()),
        "maxOutputTokens": integer(),
        "temperature": number(),
        "topP": number(),
        "topK": number(),
        "seed": integer(),
        "presencePenalty": number(),
        "frequencyPenalty": number(),
        "responseLogprobs": boolean,
        "logprobs": integer(),
        "responseMimeType": string(),
        "responseSchema": _schema,
        "responseJsonSchema": anything,
        "responseModalities": array(enum("TEXT", "IMAGE", "AUDIO")),
        "mediaResolution": enum("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"),
        "speechConfig": mapping,
        "imageConfig": mapping,
        "enableEnhancedCivicAnswers": boolean,
        "thinkingConfig": message(
            {
                "includeThoughts": boolean,
                "thinkingBudget": integer(),
                "thinkingLevel": enum("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"),
            }
        ),
    }
)
HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY")
SAFETY = message(
    {
        "category": enum(*(f"HARM_CATEGORY_{harm}" for harm in HARMS)),
        "threshold": enum("BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"),
    }
)
REQUEST = message(
    {
        "contents": array(CONTENT),
        "systemInstruction": CONTENT,
        "tools": array(TOOL),
        "toolConfig": message(
            {
                "functionCallingConfig": message(
                    {"mode": enum("AUTO", "ANY", "NONE", "VALIDATED"), "allowedFunctionNames": array(string())}
                ),
                "retrievalConfig": mapping,
                "includeServerSideToolInvocations": boolean,
            }
        ),
        "safetySettings": array(SAFETY),
        "generationConfig": GENERATION_CONFIG,
        "cachedContent": string(),
        "serviceTier": enum("UNSPECIFIED", "FLEX", "STANDARD", "PRIORITY"),
        "store": boolean,
    }
)
