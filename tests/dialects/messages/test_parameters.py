"""Top-level parameters."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from tests.dialects.messages.parsing import native, parse

SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}}
TOOL = {"name": "f", "input_schema": SCHEMA}


def test_parameters_have_their_counterparts() -> None:
    """Limits, stops, sampling and marks are kept; the user's id is hashed; what only Anthropic knows is left out."""
    body = parse(
        max_tokens=128_000,
        stop_sequences=["END"],
        temperature=0.5,
        top_p=0.9,
        top_k=4,
        metadata={"user_id": '{"device_id":"d"}'},
        cache_control={"type": "ephemeral"},
        service_tier="auto",
        container="c",
        tags={"a": "b"},
        context_management={"edits": []},
        anything_else=1,
    ).body
    assert body["max_tokens"] == 128_000
    assert (body["stop"], body["temperature"], body["top_p"], body["top_k"]) == (["END"], 0.5, 0.9, 4)
    assert body["cache_control"] == {"type": "ephemeral"}
    assert len(body["user"]) == 32
    assert body.keys().isdisjoint(
        {"metadata", "service_tier", "container", "tags", "context_management", "anything_else"}
    )


def test_absent_and_empty_parameters() -> None:
    """Null counts as absent, and an empty list of stops or tools as none; then a choice of tools means nothing."""
    body = parse(stop_sequences=[], tools=[], tool_choice={"type": "any"}, metadata={}, temperature=None).body
    assert body.keys() == {"model", "messages", "stream", "max_tokens"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"thinking": {"type": "disabled"}}, {"effort": "none"}),
        ({"thinking": {"type": "between_tools"}}, {"effort": "none"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"max_tokens": 2000}),
        ({"thinking": {"type": "adaptive"}}, {"enabled": True}),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "max"}},
            {"effort": "max", "exclude": True},
        ),
        ({"output_config": {"effort": "low"}}, {"effort": "low"}),
        ({"output_config": {"effort": "ultra"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "ultra"}}, {"enabled": True}),
        ({}, None),
    ],
)
def test_thinking_is_reasoning(given: Any, expected: Any) -> None:
    """Thinking and effort become `reasoning`; an unknown effort is left to the model."""
    assert parse(**given).body.get("reasoning") == expected


def test_a_schema_is_a_response_format() -> None:
    """A prescribed format is a JSON schema in both APIs."""
    form = parse(output_config={"format": {"type": "json_schema", "schema": SCHEMA}}).body["response_format"]
    assert form == {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA, "strict": True}}


@pytest.mark.parametrize("name", ["mcp_servers", "safeguards"])
def test_members_that_need_claude(name: str) -> None:
    """Claude Code sends the request again without `safeguards` when an error has the word."""
    given: Any = {name: [{"x": 1}]}
    found = native(parse(**given)).untranslatable
    assert found is not None
    assert name in found.reason
    given[name] = []
    assert native(parse(**given)).untranslatable is None


@pytest.mark.parametrize(
    ("given", "member"), [({"speed": "fast"}, "speed"), ({"inference_geo": "us"}, "inference_geo")]
)
def test_members_with_an_unknown_price(given: Any, member: str) -> None:
    """A budget must know what a request costs at most."""
    assert native(parse(**given)).unpriced == member
    assert native(parse(speed="standard")).unpriced is None


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": [7]}, "stop_sequences[0]"),
        ({"metadata": 7}, "metadata"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
        ({"cache_control": 7}, "cache_control"),
        ({"thinking": 7}, "thinking"),
        ({"thinking": {}}, "thinking.type"),
        ({"thinking": {"type": "adaptive", "display": 7}}, "thinking.display"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": 7}, "output_config"),
        ({"output_config": {"effort": 7}}, "output_config.effort"),
        ({"output_config": {"format": {}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"tools": 7}, "tools"),
        ({"tools": [TOOL], "tool_choice": 7}, "tool_choice"),
    ],
)
def test_a_wrong_parameter_is_named(given: Any, path: str) -> None:
    """A parameter that the gateway knows is checked, and the error has its path."""
    with pytest.raises(InvalidRequest) as refused:
        parse(**given)
    assert refused.value.param == path
