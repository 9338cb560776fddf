"""Claude's answers, judged by Anthropic's own SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

Satisfies = Callable[[Any, Any], bool]

MODEL = "claude-sonnet-5"
USER: Any = [{"role": "user", "content": "What is the weather in Paris and in Berlin?"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "unit"],
    },
}


def test_plain_answer_is_a_message_of_the_sdk(anthropic_sdk: anthropic.Anthropic) -> None:
    """A plain answer is a Message of the SDK, strictly read."""
    raw = anthropic_sdk.messages.with_raw_response.create(model=MODEL, max_tokens=500, messages=USER)
    message = TypeAdapter(Message).validate_json(raw.read(), strict=True)
    assert message.stop_reason == "end_turn"
    assert raw.headers["request-id"].startswith("req_")


def test_stream_equals_message(anthropic_sdk: anthropic.Anthropic) -> None:
    """The events build up the message that a plain request answers, usage included."""
    ask: Any = {"model": "claude-haiku-4-5", "max_tokens": 3000, "tools": [WEATHER], "messages": USER}
    ask |= {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    plain = anthropic_sdk.messages.create(**ask)
    with anthropic_sdk.messages.stream(**ask) as stream:
        built = stream.get_final_message()
    assert (
        [block.type for block in built.content]
        == [block.type for block in plain.content]
        == ["thinking", "tool_use", "tool_use"]
    )
    assert built.usage.output_tokens == plain.usage.output_tokens
    assert built.usage.input_tokens == plain.usage.input_tokens
    assert built.stop_reason == plain.stop_reason == "tool_use"


def test_events_are_known_to_the_sdk_and_in_order(anthropic_sdk: anthropic.Anthropic) -> None:
    """Each event is one the SDK knows, in the documented order, with a ping between."""
    with anthropic_sdk.messages.with_streaming_response.create(
        model=MODEL, max_tokens=500, messages=USER, stream=True
    ) as response:
        text = response.read().decode()
    assert "event: ping\n" in text
    datas = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    events = [TypeAdapter(RawMessageStreamEvent).validate_python(data) for data in datas if data["type"] != "ping"]
    assert events[0].type == "message_start"
    assert [event.type for event in events[-2:]] == ["message_delta", "message_stop"]


def test_tool_arguments_satisfy_the_schema_and_results_are_used(
    anthropic_sdk: anthropic.Anthropic, satisfies: Satisfies
) -> None:
    """Arguments satisfy the schema, and the answer after the results uses them."""
    first = anthropic_sdk.messages.create(model=MODEL, max_tokens=900, messages=USER, tools=[WEATHER])
    uses = [block for block in first.content if block.type == "tool_use"]
    assert [use.input["city"] for use in uses] == ["Paris", "Berlin"]
    for use in uses:
        assert satisfies(use.input, WEATHER["input_schema"])
    results: Any = [
        {"type": "tool_result", "tool_use_id": use.id, "content": f"{n + 17} degrees"} for n, use in enumerate(uses)
    ]
    turns = [*USER, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = anthropic_sdk.messages.create(model=MODEL, max_tokens=900, messages=turns, tools=[WEATHER])
    text = second.content[-1]
    assert text.type == "text"
    assert "17 degrees" in text.text
    assert "18 degrees" in text.text


def test_one_call_when_parallel_is_off(anthropic_sdk: anthropic.Anthropic) -> None:
    """`disable_parallel_tool_use` leaves one call."""
    choice: Any = {"type": "auto", "disable_parallel_tool_use": True}
    answer = anthropic_sdk.messages.create(
        model=MODEL, max_tokens=900, messages=USER, tools=[WEATHER], tool_choice=choice
    )
    assert [block.type for block in answer.content].count("tool_use") == 1


def test_tool_without_arguments(anthropic_sdk: anthropic.Anthropic) -> None:
    """A call without arguments streams no JSON at all."""
    tool: Any = {"name": "ping_server", "input_schema": {"type": "object", "properties": {}}}
    ask: Any = {
        "model": "claude-haiku-4-5",
        "max_tokens": 900,
        "messages": USER,
        "tools": [tool],
        "tool_choice": {"type": "any"},
    }
    with anthropic_sdk.messages.stream(**ask) as stream:
        kinds = [event.delta.type for event in stream if event.type == "content_block_delta"]
        message = stream.get_final_message()
    assert kinds == []
    assert message.content[0].type == "tool_use"
    assert message.content[0].input == {}


def test_structured_answer_satisfies_its_schema(anthropic_sdk: anthropic.Anthropic, satisfies: Satisfies) -> None:
    """A structured answer is JSON that satisfies its schema."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    answer = anthropic_sdk.messages.create(model=MODEL, max_tokens=900, messages=USER, output_config=config)
    text = answer.content[-1]
    assert text.type == "text"
    assert satisfies(json.loads(text.text), schema)


def test_redacted_thinking_comes_by_marker_and_may_be_sent_back(anthropic_sdk: anthropic.Anthropic) -> None:
    """A marker brings redacted thinking, and it may be sent back."""
    asked: Any = [{"role": "user", "content": "Explain [[redacted]] things"}]
    first = anthropic_sdk.messages.create(model=MODEL, max_tokens=900, messages=asked)
    assert [block.type for block in first.content] == ["thinking", "redacted_thinking", "text"]
    turns: Any = [*asked, {"role": "assistant", "content": first.content}, {"role": "user", "content": "Go on"}]
    anthropic_sdk.messages.create(model=MODEL, max_tokens=900, messages=turns)


REASONS = [
    ("[[tokens:400]] please", {"max_tokens": 50}, "max_tokens", None),
    ("[[say:one STOP two]]", {"max_tokens": 50, "stop_sequences": ["STOP"]}, "stop_sequence", "STOP"),
    ("[[fault:refusal]]", {"max_tokens": 50}, "refusal", None),
    ("[[fault:pause_turn]]", {"max_tokens": 50}, "pause_turn", None),
    ("[[fault:context_window]]", {"max_tokens": 50}, "model_context_window_exceeded", None),
]


@pytest.mark.parametrize(("prompt", "fields", "reason", "stop"), REASONS, ids=[row[2] for row in REASONS])
def test_each_ending_has_its_stop_reason(
    anthropic_sdk: anthropic.Anthropic, prompt: str, fields: Any, reason: str, stop: str | None
) -> None:
    """Each ending has its stop_reason; only a stop sequence names itself, and only a refusal has details."""
    asked: Any = [{"role": "user", "content": prompt}]
    answer = anthropic_sdk.messages.create(model="claude-haiku-4-5", messages=asked, **fields)
    assert answer.stop_reason == reason
    assert answer.stop_sequence == stop
    assert (answer.stop_details is not None) == (reason == "refusal")
    assert answer.usage.output_tokens <= 50
