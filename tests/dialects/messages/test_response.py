"""Whole responses."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import Completion, Usage
from gateway.dialects.envelope import unseal
from gateway.dialects.messages.response import ToolIds, anthropic_usage, message_body
from tests.dialects.messages.parsing import head, text

USAGE = Usage(100, 20, cached_tokens=60, cache_write_tokens=10, reasoning_tokens=5).openai()
THINKING: Any = {"thinking": {"type": "adaptive"}}


def answer(message: dict[str, Any], finish: str = "stop", **request: Any) -> dict[str, Any]:
    completion = Completion([{"index": 0, "message": message, "finish_reason": finish}], None)
    return message_body(completion, head(**request), usage=USAGE)


def call(id: str = "t1", arguments: str = '{"a":1}', **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}, **more}


def test_a_text() -> None:
    """A text answer has all members of a message."""
    body = answer({"content": "Hello"})
    assert body == {
        "id": "msg_r1",
        "type": "message",
        "role": "assistant",
        "model": "openrouter/v/m",
        "content": [text("Hello")],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": anthropic_usage(USAGE),
    }


def test_claudes_own_object_passes() -> None:
    """Only the model's name is replaced, in its place."""
    theirs = {"id": "msg_1", "model": "claude-x", "content": [{"type": "hologram"}], "unknown": 1}
    body = message_body(Completion([], None, native=theirs), head(), usage=USAGE)
    assert list(body.items()) == [*({**theirs, "model": "openrouter/v/m"}).items()]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("odd", "end_turn"),
    ],
)
def test_stop_reasons(finish: str, reason: str) -> None:
    """Each finish reason has its counterpart."""
    assert answer({"content": "x"}, finish)["stop_reason"] == reason


def test_an_empty_answer_has_no_block() -> None:
    """There is never an empty text block; a refusal's words are text."""
    assert answer({"content": ""})["content"] == []
    assert message_body(Completion([], None), head(), usage=USAGE)["content"] == []
    assert answer({"content": None, "refusal": "No."})["content"] == [text("No.")]


def test_thinking_has_an_envelope_as_signature() -> None:
    """Thinking comes before the text, with what its model needs back."""
    details = [{"type": "reasoning.text", "text": "Hm"}]
    thinking, words = answer({"content": "x", "reasoning_content": "Hm", "reasoning_details": details}, **THINKING)[
        "content"
    ]
    assert (thinking["type"], thinking["thinking"], words) == ("thinking", "Hm", text("x"))
    envelope = unseal(thinking["signature"])
    assert envelope is not None
    assert (envelope.model, envelope.details) == ("openrouter/v/m", details)


def test_hidden_thinking_is_only_signed() -> None:
    """With `display: omitted` a client wants the signature without the text."""
    hidden: Any = {"thinking": {"type": "adaptive", "display": "omitted"}}
    (thinking, _) = answer({"content": "x", "reasoning_content": "Hm"}, **hidden)["content"]
    assert thinking["thinking"] == ""
    assert thinking["signature"]


@pytest.mark.parametrize("thinking", [None, {"type": "disabled"}])
def test_a_client_that_did_not_ask_gets_no_thinking(thinking: Any) -> None:
    """Clients that read `content[0].text` find the text there."""
    message = {"content": "x", "reasoning_content": "Hm", "reasoning_details": [{"signature": "s"}]}
    assert answer(message, thinking=thinking)["content"] == [text("x")]


def test_calls_keep_their_signatures_unasked() -> None:
    """A call that must come back signed has its signature in a block before it, also for a client that did not ask to think."""
    extra = {"google": {"thought_signature": "s"}}
    redacted, used = answer({"content": None, "tool_calls": [call("t:1", extra_content=extra)]}, "tool_calls")[
        "content"
    ]
    assert used == {"type": "tool_use", "id": "t_1", "name": "f", "input": {"a": 1}}
    envelope = unseal(redacted["data"])
    assert envelope is not None
    assert envelope.details == [{"type": "tool_call", "id": "t_1", "extra_content": extra}]


def test_signed_text_without_thinking_is_redacted_thinking() -> None:
    """Where the client wants thinking, a signature without text is kept too."""
    message = {"content": "x", "reasoning_details": [{"signature": "s"}]}
    assert [block["type"] for block in answer(message, **THINKING)["content"]] == ["redacted_thinking", "text"]


@pytest.mark.parametrize(("arguments", "expected"), [("", {}), ("[1]", {"_raw": "[1]"}), ('{"a', {"_raw": '{"a'})])
def test_input_is_an_object(arguments: str, expected: Any) -> None:
    """Arguments that are no object, such as those that were cut off, are not lost."""
    assert answer({"tool_calls": [call(arguments=arguments)]})["content"][0]["input"] == expected


def test_one_call_at_a_time() -> None:
    """Not every upstream keeps to `disable_parallel_tool_use`, so only the first call is passed on."""
    tools: Any = {
        "tools": [{"name": "f", "input_schema": {}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    message = {"tool_calls": [call("t1"), {"id": "c", "type": "custom"}, call("t2")]}
    assert [block["id"] for block in answer(message)["content"]] == ["t1", "t2"]
    assert [block["id"] for block in answer(message, **tools)["content"]] == ["t1"]


def test_ids_are_legal_and_unique() -> None:
    """Clients send ids back to Anthropic, which takes only some characters."""
    ids = ToolIds()
    assert [ids.new(id) for id in ("functions.f:0", "functions.f:0", "", "a-b_C")] == [
        "functions_f_0",
        "functions_f_0_2",
        "toolu_0",
        "a-b_C",
    ]


def test_usage_is_counted_as_anthropic_does() -> None:
    """Cached tokens are not part of `input_tokens`; the cost is told."""
    usage = anthropic_usage({**USAGE, "cost": 0.5, "cost_details": {"evidence": "exact"}})
    assert usage == {
        "input_tokens": 30,
        "cache_creation_input_tokens": 10,
        "cache_read_input_tokens": 60,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 5},
        "cost": 0.5,
        "cost_details": {"evidence": "exact"},
    }
