"""Answers in OpenAI's shape, whole and streamed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.completion import Chunk, Completion, Usage, text_chunk
from gateway.dialects.chat_completions import ChunkWriter, completion_body

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def body(
    message: dict[str, Any], *, legacy: bool = False, usage: dict[str, Any] | None = None, **choice: Any
) -> dict[str, Any]:
    completion = Completion([{"message": message, **choice}], None, extra={"service_tier": "flex", "model": "theirs"})
    return completion_body(completion, id="r1", created=7, model="gemini/x", usage=usage, legacy_functions=legacy)


def writer(*, include_usage: bool = False, legacy: bool = False) -> ChunkWriter:
    return ChunkWriter(id="r1", created=7, model="gemini/x", include_usage=include_usage, legacy_functions=legacy)


def event(written: bytes) -> dict[str, Any]:
    assert written.startswith(b"data: ")
    assert written.endswith(b"\n\n")
    assert written.count(b"\n") == 2
    parsed: dict[str, Any] = orjson.loads(written[6:])
    return parsed


def test_completion_has_every_member_of_openais() -> None:
    """A completion has every member that OpenAI's has, ours before the provider's, and no empty ones."""
    made = body(
        {"content": "4", "tool_calls": [], "annotations": None, "reasoning_content": "2+2"},
        usage=Usage(1, 2).openai(),
        finish_reason="stop",
    )
    assert made == {
        "id": "r1",
        "object": "chat.completion",
        "created": 7,
        "model": "gemini/x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "4", "refusal": None, "reasoning_content": "2+2"},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": Usage(1, 2).openai(),
        "service_tier": "flex",
    }
    ChatCompletion.model_validate(made, strict=True)


def test_completion_without_usage() -> None:
    """Without usage the member is absent; calls are kept and content may be null."""
    made = body({"tool_calls": [CALL], "role": "assistant", "refusal": "no"}, finish_reason="tool_calls")
    assert "usage" not in made
    assert made["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": "no",
        "tool_calls": [CALL],
    }


@pytest.mark.parametrize(
    ("calls", "reason", "expected", "told"),
    [
        ([CALL, {**CALL, "id": "c2"}], "tool_calls", CALL["function"], "function_call"),
        ([{"id": "c3", "type": "custom", "custom": {}}], "tool_calls", None, "function_call"),
        ([], "stop", None, "stop"),
    ],
)
def test_legacy_completion_has_one_function_call(calls: list[Any], reason: str, expected: Any, told: str) -> None:
    """In the old form the first function call stands alone, and the finish reason says so."""
    choice = body({"content": None, "tool_calls": calls}, legacy=True, finish_reason=reason)["choices"][0]
    assert choice["message"].get("function_call") == expected
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == told


def test_chunk_has_stream_head_and_every_choice_member() -> None:
    """A chunk has the stream's head, and each choice all members."""
    made = event(writer().write(Chunk([{"index": 1, "delta": {"content": "4"}}])))
    assert made == {
        "id": "r1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "gemini/x",
        "choices": [{"index": 1, "delta": {"content": "4"}, "logprobs": None, "finish_reason": None}],
    }
    ChatCompletionChunk.model_validate(made, strict=True)


def test_chunk_without_choices() -> None:
    """Nothing is written for a chunk without choices."""
    assert writer().write(Chunk(usage=Usage(1, 2))) == b""


def test_usage_is_null_in_every_chunk_but_the_last() -> None:
    """When usage is asked for, every chunk says null but the last, which has no choices."""
    asked = writer(include_usage=True)
    assert event(asked.write(Chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])))["usage"] is None
    last = event(asked.usage({"prompt_tokens": 1}, {"provider": "gemini"}))
    assert (last["choices"], last["usage"], last["gateway"]) == ([], {"prompt_tokens": 1}, {"provider": "gemini"})


@pytest.mark.parametrize("include_usage", [False, True])
def test_extra_members_never_replace_the_gateways(include_usage: bool) -> None:
    """The provider's further members are written, but never in place of ours."""
    made = event(
        writer(include_usage=include_usage).write(
            Chunk([{"index": 0, "delta": {}}], extra={"service_tier": "flex", "id": "x"})
        )
    )
    assert (made["service_tier"], made["id"], "usage" in made) == ("flex", "r1", include_usage)
    assert "choices" in event(writer().write(Chunk([{"index": 0, "delta": {}}], extra={"id": "x"})))


def test_events_contain_no_raw_line_ends() -> None:
    """No character that some reader takes for a line end stands raw in an event."""
    written = writer().write(Chunk([{"index": 0, "delta": {"content": "a\u2028b\u2029c\nd\u2013"}}]))
    assert b"\xe2\x80\xa8" not in written
    assert b"\xe2\x80\xa9" not in written
    assert event(written)["choices"][0]["delta"]["content"] == "a\u2028b\u2029c\nd\u2013"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (
            {"delta": {"role": "assistant", "tool_calls": [{"index": 0, **CALL}]}, "finish_reason": None},
            ({"role": "assistant", "function_call": CALL["function"]}, None),
        ),
        ({"delta": {"tool_calls": [{"index": 1, **CALL}]}}, ({}, None)),
        ({"delta": {"content": "x", "tool_calls": None}}, ({"content": "x"}, None)),
        ({"delta": {}, "finish_reason": "tool_calls"}, ({}, "function_call")),
        ({"delta": {}, "finish_reason": "length"}, ({}, "length")),
    ],
)
def test_legacy_stream_has_the_first_call_alone(
    choice: dict[str, Any], expected: tuple[dict[str, Any], str | None]
) -> None:
    """In the old form a stream tells the first call alone."""
    made = event(writer(legacy=True).write(Chunk([{"index": 0, **choice}])))["choices"][0]
    assert (made["delta"], made["finish_reason"]) == expected


@pytest.mark.parametrize("include_usage", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("text", ["plain", 'say "hi"\n', "\u2028", ""])
def test_text_from_prepared_pieces(text: str, legacy: bool, include_usage: bool) -> None:
    """A step of text alone is written as any other step with the same choices."""
    chunk = text_chunk(text)
    made = writer(include_usage=include_usage, legacy=legacy)
    assert made.write(chunk) == made.write(Chunk(chunk.choices))
