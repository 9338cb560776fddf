"""What of a request is sent on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.dialects.chat_completions import parse_chat_request
from gateway.providers.openai_compatible.request import OPENAI, chat_body, chat_messages, keep_allowed

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def body(**members: object) -> dict[str, Any]:
    request = parse_chat_request(orjson.dumps({"model": "auto", "messages": [USER], **members}))
    return chat_body(request, "gpt-5.5", allowed=OPENAI)


def message(**members: object) -> Any:
    return chat_messages([members], allowed=OPENAI)[0]


def test_plain_request_has_only_model_and_messages() -> None:
    """Model and messages, and nothing that the client did not ask for."""
    assert body() == {"model": "gpt-5.5", "messages": [USER]}


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"temperature": 0.5, "top_k": 3, "unknown": 1}, {"temperature": 0.5}),
        ({"stop": []}, {}),
        ({"stop": ["a"]}, {"stop": ["a"]}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_completion_tokens": 6}),
        ({"stream": False}, {}),
        (
            {"stream": True, "stream_options": {"include_usage": False}},
            {"stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {}}]},
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
        ),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "description": None, "parameters": {"a": None}}}
                ]
            },
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": None}}}]},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": None}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}},
        ),
    ],
)
def test_documented_parameters_are_sent_and_newer_limit_wins(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """Documented parameters are sent on; usage is always asked for; of two limits the newer name wins."""
    made = body(**asked)
    assert {name: value for name, value in made.items() if name not in ("model", "messages")} == sent


def test_message_without_foreign_members_is_not_copied() -> None:
    """A message in which nothing is foreign is not copied."""
    messages = [USER, {"role": "tool", "tool_call_id": "c1", "content": "42"}]
    assert all(a is b for a, b in zip(chat_messages(messages, allowed=OPENAI), messages, strict=True))


def test_foreign_members_and_nulls_are_left_out() -> None:
    """Signatures, other gateways' members and nulls are left out of messages, parts and calls."""
    made = message(
        role="assistant",
        content=[
            {
                "type": "text",
                "text": "a",
                "cache_control": {"type": "ephemeral"},
                "prompt_cache_breakpoint": {"mode": "explicit"},
            }
        ],
        refusal=None,
        reasoning_content="hm",
        provider_specific_fields={},
        tool_calls=[{**CALL, "extra_content": {"google": {}}}, CALL],
    )
    assert made == {
        "role": "assistant",
        "content": [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}],
        "tool_calls": [CALL, CALL],
    }


def test_foreign_members_of_calls_and_parts_are_left_out() -> None:
    """What SDKs add to calls and parts is left out, and a call without arguments has an empty object."""
    parsed = {**CALL, "function": {"name": "f", "arguments": "", "parsed_arguments": None}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x", "parsed": 1}}
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": None}}
    assert message(role="assistant", content=None, tool_calls=[parsed, custom])["tool_calls"] == [
        CALL,
        {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}},
    ]
    assert message(role="user", content=[image])["content"] == [
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    ]


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ({"role": "assistant", "content": None, "reasoning_content": "hm"}, {"content": ""}),
        ({"role": "assistant", "content": None, "tool_calls": [], "refusal": "no"}, {"content": "", "refusal": "no"}),
        ({"role": "assistant", "content": None, "tool_calls": [CALL]}, {"tool_calls": [CALL]}),
        ({"role": "assistant", "content": "a", "tool_calls": []}, {"content": "a"}),
    ],
)
def test_message_always_keeps_something_acceptable(given: dict[str, Any], content: dict[str, Any]) -> None:
    """A message always keeps something that upstreams accept; empty lists of calls are left out."""
    assert message(**given) == {"role": "assistant", **content}


def test_only_copies_unless_everything_is_known() -> None:
    """What is known whole is itself; otherwise it is a copy of what is known and not null."""
    value = {"a": 1}
    assert keep_allowed(value, frozenset("a")) is value
    assert keep_allowed({"a": 1, "b": None, "c": 3}, frozenset("ab")) == {"a": 1}
