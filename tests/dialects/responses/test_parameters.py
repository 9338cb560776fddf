"""Parameters: checked by one table, and translated where models take them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.responses.parameters import wants_encrypted, wants_summary
from tests.dialects.responses.bodies import WEATHER, parsed, refused

SCHEMA = {"type": "json_schema", "name": "city", "schema": {"type": "object"}, "strict": True, "description": None}


@pytest.mark.parametrize(
    ("member", "chat"),
    [
        ({"max_output_tokens": 9}, {"max_completion_tokens": 9}),
        ({"temperature": 0.5, "top_p": 0.1, "user": "u"}, {"temperature": 0.5, "top_p": 0.1, "user": "u"}),
        ({"metadata": {"a": "b"}, "prompt_cache_key": "k"}, {"metadata": {"a": "b"}, "prompt_cache_key": "k"}),
        ({"reasoning": {"effort": None, "summary": None}}, {}),
        (
            {"reasoning": {"effort": "low"}},
            {"reasoning_effort": "low", "reasoning": {"effort": "low", "exclude": True}},
        ),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"reasoning_effort": "low", "reasoning": {"effort": "low"}},
        ),
        ({"reasoning": {"summary": "auto"}}, {"reasoning": {"enabled": True}}),
        ({"include": ["reasoning.encrypted_content"]}, {"reasoning": {"enabled": True}}),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"top_logprobs": 2}, {}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": SCHEMA}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "city", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        ({"truncation": "auto", "store": False, "client_metadata": {}, "brand_new": [1]}, {}),
        ({"parallel_tool_calls": False}, {}),
        ({"text": {"format": None}}, {}),
    ],
    ids=str,
)
def test_parameters_are_translated(member: dict[str, Any], chat: dict[str, Any]) -> None:
    """What models take is translated; what is only echoed, and what is unknown, goes no further."""
    body = dict(parsed(**member).chat.body)
    assert {name: value for name, value in body.items() if name not in ("model", "messages")} == chat


def test_parallel_calls_need_tools() -> None:
    """Providers refuse the parameter where there is nothing to call."""
    assert parsed(tools=[WEATHER], parallel_tool_calls=False).chat.body["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("member", "param"),
    [
        ({"background": True}, "background"),
        ({"background": 1}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"include": "all"}, "include"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"reasoning": "low"}, "reasoning"),
        ({"text": "x"}, "text"),
        ({"text": {"verbosity": "loud"}}, "text.verbosity"),
        ({"text": {"format": {}}}, "text.format.type"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        ({"text": {"format": {**SCHEMA, "strict": 1}}}, "text.format.strict"),
        ({"text": {"format": {**SCHEMA, "description": 1}}}, "text.format.description"),
        ({"truncation": "always"}, "truncation"),
        ({"stream": "yes"}, "stream"),
        ({"model": ""}, "model"),
        ({"routing": {"max_costs": 1}}, "routing.max_costs"),
    ],
    ids=str,
)
def test_invalid_parameter_is_named(member: dict[str, Any], param: str) -> None:
    """The wrong member is named; what the gateway cannot do is refused, not ignored."""
    assert refused(**member).param == param


def test_foreground_is_served() -> None:
    """`background: false` asks for nothing."""
    assert parsed(background=False).chat.model == "auto"


def test_wishes_for_reasoning() -> None:
    """A summary is asked for by either name, the opaque string by `include`."""
    assert wants_summary({"reasoning": {"generate_summary": "auto"}})
    assert not wants_summary({"reasoning": {}})
    assert not wants_encrypted({"include": None})
