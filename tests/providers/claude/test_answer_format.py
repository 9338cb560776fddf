"""JSON answers: which way each model is held to them."""

from __future__ import annotations

import pytest

from tests.providers.claude.asking import HAIKU_4_5, OPUS_4_1, OPUS_5_5, SONNET_4_6, SONNET_5_5, refusal, sent

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
