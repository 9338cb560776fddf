"""A whole request, from bytes to values."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.completion import ChatRequest, RoutingHints
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import InvalidRequest

MESSAGES = [{"role": "user", "content": "hi"}]
NAMES = st.sampled_from([
    "role", "content", "type", "text", "image_url", "url", "file", "input_audio", "tool_calls", "function", "name", "arguments",
    "id", "tool_call_id", "function_call", "custom", "input", "tools", "tool_choice", "allowed_tools", "mode", "functions",
    "response_format", "json_schema", "schema", "stop", "routing", "max_cost", "stream", "stream_options", "include_usage",
    "metadata", "reasoning_details", "extra_content", "audio", "logit_bias", "n", "models",
])  # fmt: skip
WORDS = st.sampled_from([
    "user", "assistant", "tool", "function", "system", "text", "image_url", "custom", "auto", "required", "allowed_tools",
    "json_schema", "f", "", "https://example.org",
])  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def parsed(**members: object) -> ChatRequest:
    return parse_chat_request(orjson.dumps({"model": "auto", "messages": MESSAGES, **members}))


def expect_accepted_or_refused(body: object) -> None:
    """Parse it; any refusal but InvalidRequest fails the test, and so does a value that is not what it says."""
    with suppress(InvalidRequest):
        request = parse_chat_request(orjson.dumps(body))
        assert request.model
        assert all("role" in message for message in request.messages)
        orjson.dumps(request.body)


def test_body_keeps_unknown_members_without_nulls_and_hints() -> None:
    """The body is kept with what the gateway does not know, without nulls and without its own hints."""
    request = parsed(seed=None, later={"x": None}, routing={"max_cost": 1})
    assert request.body == {"model": "auto", "messages": MESSAGES, "later": {"x": None}}
    assert (request.model, request.messages) == ("auto", MESSAGES)
    assert (request.stream, request.include_usage, request.legacy_functions) == (False, False, False)
    assert request.hints == RoutingHints(max_cost=1)


@pytest.mark.parametrize(
    ("members", "stream", "include_usage"),
    [
        ({"stream": True}, True, False),
        ({"stream": False}, False, False),
        ({"stream": True, "stream_options": {}}, True, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True, True),
        ({"stream": True, "stream_options": {"include_usage": None}}, True, False),
    ],
)
def test_stream_and_include_usage_are_read(members: dict[str, Any], stream: bool, include_usage: bool) -> None:
    """Whether to stream, and whether the stream ends with usage."""
    request = parsed(**members)
    assert (request.stream, request.include_usage) == (stream, include_usage)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"messages": MESSAGES}, "model"),
        ({"model": None, "messages": MESSAGES}, "model"),
        ({"model": "auto"}, "messages"),
        ({"model": "auto", "messages": MESSAGES, "routing": {"x": 1}}, "routing.x"),
        ({"model": "auto", "messages": MESSAGES, "temperature": 3}, "temperature"),
    ],
)
def test_missing_or_wrong_member_is_named(body: object, param: str) -> None:
    """What is missing or wrong is named."""
    with pytest.raises(InvalidRequest) as refused:
        parse_chat_request(orjson.dumps(body))
    assert refused.value.param == param


def test_legacy_request_is_rewritten_and_answered_in_legacy_form() -> None:
    """A request in the old form is rewritten, and its answer has to be given in the old form."""
    request = parsed(functions=[{"name": "f"}])
    assert request.legacy_functions
    assert request.body["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert "functions" not in request.body


def test_legacy_history_does_not_ask_for_a_legacy_answer() -> None:
    """A history in the old form does not ask for an answer in it."""
    request = parsed(messages=[*MESSAGES, {"role": "function", "name": "f", "content": "42"}])
    assert not request.legacy_functions
    assert request.messages[1]["role"] == "tool"
    assert request.body["messages"] is request.messages


def test_empty_tools_count_as_absent() -> None:
    """An empty list of tools and what goes with it are as good as absent."""
    assert parsed(tools=[], tool_choice="auto", parallel_tool_calls=True).body == {
        "model": "auto",
        "messages": MESSAGES,
    }


@given(JSON)
def test_any_json_body_is_accepted_or_refused_as_invalid(body: object) -> None:
    """Whatever JSON the body is, it is accepted or refused as invalid."""
    expect_accepted_or_refused(body)


@given(st.dictionaries(NAMES, JSON, max_size=5))
@settings(max_examples=100)
def test_any_parameters_are_accepted_or_refused_as_invalid(members: dict[str, Any]) -> None:
    """Whatever the parameters are, they are accepted or refused as invalid."""
    expect_accepted_or_refused({**members, "model": "auto", "messages": MESSAGES})


@given(st.lists(st.dictionaries(NAMES, JSON, max_size=4), max_size=4), WORDS)
@settings(max_examples=100)
def test_any_messages_are_accepted_or_refused_as_invalid(messages: list[dict[str, Any]], role: str) -> None:
    """Whatever the messages are, they are accepted or refused as invalid."""
    expect_accepted_or_refused({"model": "auto", "messages": [{**message, "role": role} for message in messages]})
