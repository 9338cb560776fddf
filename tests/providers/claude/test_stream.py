"""Streams: errors in them, ends that are none, and what nobody knows yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from openai.lib.streaming._deltas import accumulate_delta
from openai.types.chat import ChatCompletionChunk

from gateway.completion import Chunk
from gateway.errors import (
    UpstreamError,
    UpstreamInvalidResponse,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamTruncated,
)
from gateway.providers.base import SignatureCache
from gateway.sse import ServerSentEvent
from tests.providers.claude.asking import OPUS_5, WEATHER, claude, deltas, finishes, read, sent, wire

CASES = sorted((Path(__file__).parent / "cases").glob("stream_*.json"))

START: dict[str, Any] = {
    "type": "message_start",
    "message": {"usage": {"input_tokens": 3, "output_tokens": 1, "service_tier": "standard"}},
}
TEXT: dict[str, Any] = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
REASON: dict[str, Any] = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn"},
    "usage": {"output_tokens": 9, "input_tokens": None},
}
STOP: dict[str, Any] = {"type": "message_stop"}


def chunks(*events: dict[str, Any], **asked: Any) -> list[Chunk]:
    return read(claude().stream_parser(sent(**asked)), [wire(events)])


@pytest.mark.parametrize(
    ("kind", "error"),
    [("overloaded_error", UpstreamOverloaded), ("rate_limit_error", UpstreamRateLimited), ("new_error", UpstreamError)],
)
@pytest.mark.parametrize("before", [[], [START, TEXT]], ids=["at once", "midway"])
def test_error_event_may_come_at_any_place(kind: str, error: type[UpstreamError], before: list[dict[str, Any]]) -> None:
    """An error may come as the first event or as any other."""
    with pytest.raises(error, match="Too much"):
        chunks(*before, {"type": "error", "error": {"type": kind, "message": "Too much"}})


@pytest.mark.parametrize("events", [[], [START], [START, TEXT], [START, TEXT, REASON]])
def test_stream_without_message_stop_is_truncated(events: list[dict[str, Any]]) -> None:
    """A stream that ends before message_stop is broken, and nothing in it said that the answer was finished."""
    parser = claude().stream_parser(sent())
    told = [chunk for event in events for chunk in parser.feed(ServerSentEvent(orjson.dumps(event)))]
    assert finishes(told) == []
    with pytest.raises(UpstreamTruncated):
        parser.close()


@pytest.mark.parametrize("data", [b"{", b"<html>", b"[]", b"1"])
def test_data_that_is_no_object_is_refused(data: bytes) -> None:
    """Data that is no JSON object is no answer."""
    with pytest.raises(UpstreamInvalidResponse):
        claude().stream_parser(sent()).feed(ServerSentEvent(data))


def test_unknown_events_and_blocks_are_passed_over() -> None:
    """Events, blocks and deltas that nobody knows are passed over, whatever is in them."""
    odd: list[dict[str, Any]] = [
        {"type": "ping"},
        {"type": "heartbeat", "data": 1},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "hologram"}},
        {"type": "content_block_start", "index": [], "content_block": None},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "hologram_delta"}},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_delta", "index": {}, "delta": None},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "thinking"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "hologram_delta"}},
        {"type": "content_block_stop", "index": 9},
        START,
    ]
    told = chunks(START, *odd, {**TEXT, "delta": {"type": "text_delta", "text": None}}, TEXT, REASON, STOP, TEXT, STOP)
    assert "".join(delta.get("content", "") for delta in deltas(told)) == "Hi"
    assert finishes(told) == ["stop"]


def test_first_delta_has_the_role_without_message_start() -> None:
    """The first delta says the role even where message_start is missing."""
    assert deltas(chunks(TEXT, STOP)) == [{"role": "assistant", "content": "Hi"}, {}]
    assert deltas(chunks(STOP)) == [{"role": "assistant"}]
    assert deltas(chunks({"type": "message_delta"}, STOP)) == [{"role": "assistant"}]


def test_last_usage_counts_and_absent_counts_stay() -> None:
    """The last counts are the whole answer's; an absent one leaves what came before."""
    told = [
        chunk.usage
        for chunk in chunks(START, TEXT, REASON, {**REASON, "usage": {"output_tokens": 12}}, STOP)
        if chunk.usage
    ]
    assert [(usage.prompt_tokens, usage.completion_tokens) for usage in told] == [(3, 1), (3, 9), (3, 12)]
    assert told[-1].raw == {"input_tokens": 3, "output_tokens": 12, "service_tier": "standard"}
    assert chunks(START, STOP)[0].extra == {"service_tier": "default"}


def test_held_back_fence_text_comes_with_the_end() -> None:
    """What might have been a fence and was none comes with the end."""
    asked = {"response_format": {"type": "json_object"}}
    assert deltas(chunks(START, {**TEXT, "delta": {"type": "text_delta", "text": "``"}}, STOP, **asked))[1:] == [
        {"content": "``"},
        {},
    ]


def test_streamed_thinking_is_kept_under_its_call() -> None:
    """The thinking before a call comes back with the call alone."""
    signatures = SignatureCache()
    events: Sequence[dict[str, Any]] = [
        START,
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s1"}},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "c1", "name": "get_weather"},
        },
        STOP,
    ]
    read(claude(signatures).stream_parser(sent(to=OPUS_5, tools=[WEATHER])), [wire(events)])
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    json = sent(history, to=OPUS_5, tools=[WEATHER], signatures=signatures).json
    assert json["messages"][1]["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "s1"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_official_client_joins_deltas_to_the_whole_answer(path: Path) -> None:
    """OpenAI's client puts the deltas together to what a whole answer says."""
    case = orjson.loads(path.read_bytes())
    request = sent(to=case["model"], **case["asked"])
    whole: dict[object, object] = {}
    for delta in deltas(read(claude().stream_parser(request), [wire(case["events"])])):
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": delta}],
        }
        if "custom" not in path.stem:
            ChatCompletionChunk.model_validate(chunk)
        whole = accumulate_delta(whole, dict(delta))
    answered = claude().parse_response({"content": _content(case["events"]), "usage": {}}, request)
    message = {name: value for name, value in answered.choices[0]["message"].items() if name != "refusal"}
    for entry in [*message.get("tool_calls", ()), *message.get("reasoning_details", ())]:
        entry.setdefault("index", 0)
    told: Any = {**whole, "content": whole.get("content") or (None if "tool_calls" in whole else "")}
    assert [call["id"] for call in told.get("tool_calls", ())] == [call["id"] for call in message.get("tool_calls", ())]
    assert {**told, "tool_calls": None} == {**message, "tool_calls": None}


def _content(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks that the events amount to."""
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    for event in events:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        elif event["type"] == "content_block_delta":
            kind, block = event["delta"]["type"], blocks[event["index"]]
            member = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}.get(kind)
            if member:
                block[member] += event["delta"][member]
            else:
                inputs[event["index"]] = inputs.get(event["index"], "") + event["delta"]["partial_json"]
    for index, text in inputs.items():
        blocks[index]["input"] = orjson.loads(text) if text.endswith("}") else text
    return list(blocks.values())
