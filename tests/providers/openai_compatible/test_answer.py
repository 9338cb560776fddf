"""Whole answers, as different upstreams of the kind give them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import Usage
from gateway.errors import UpstreamError, UpstreamInvalidResponse, UpstreamOverloaded
from gateway.providers.openai_compatible.answer import (
    dropped_kinds,
    extra_of,
    finish_reason,
    parse_choices,
    parse_message,
    parse_usage,
    raise_for_error,
)

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def choices(*given: object) -> list[Any]:
    return list(parse_choices({"id": "r", "choices": list(given)}, provider="acme", key="", detail_extra={}))


def message(**given: Any) -> dict[str, Any]:
    return parse_message(given, call_prefix="call_r_0", detail_extra={"model": "m"})


def test_choices_are_numbered_with_reason_and_logprobs() -> None:
    """Choices are numbered in their order, each with its reason and probabilities."""
    first, second = choices(
        {"message": {"content": "a"}, "logprobs": {"content": []}, "index": 9}, {"message": {"tool_calls": [CALL]}}
    )
    assert first == {
        "index": 0,
        "message": {"role": "assistant", "content": "a"},
        "logprobs": {"content": []},
        "finish_reason": "stop",
    }
    assert (second["index"], second["finish_reason"]) == (1, "tool_calls")


@pytest.mark.parametrize("given", [[], ["text"], [{}], [{"message": "text"}]], ids=repr)
def test_answer_without_choice_or_message_is_refused(given: list[object]) -> None:
    """An answer without a choice or a choice without a message is no answer."""
    with pytest.raises(UpstreamInvalidResponse):
        choices(*given)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"error": {"code": 529, "message": "busy"}}, UpstreamOverloaded),
        ({"error": "text"}, UpstreamError),
        ({"finish_reason": "error"}, UpstreamError),
    ],
)
def test_error_inside_an_answer_is_raised(value: dict[str, Any], kind: type[UpstreamError]) -> None:
    """An error inside an answer, a choice or an event is raised; null is none."""
    with pytest.raises(kind) as told:
        raise_for_error(value, provider="acme", key="")
    assert told.value.provider == "acme"
    raise_for_error({"error": None, "finish_reason": "stop"}, provider="acme", key="")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"content": "a", "refusal": None, "annotations": []}, {"content": "a", "annotations": []}),
        ({"content": [{"type": "text", "text": "a"}, {"type": "x"}, {"type": "text", "text": "b"}]}, {"content": "ab"}),
        ({"content": 7}, {"content": None}),
        ({"content": "a", "reasoning": "hm"}, {"content": "a", "reasoning_content": "hm"}),
        ({"content": "a", "reasoning_content": "hm", "reasoning": "hm"}, {"content": "a", "reasoning_content": "hm"}),
        (
            {"reasoning_details": [{"type": "t"}, 7, {"type": "u", "index": 5}]},
            {
                "content": None,
                "reasoning_details": [{"index": 0, "type": "t", "model": "m"}, {"index": 5, "type": "u", "model": "m"}],
            },
        ),
        ({"reasoning_details": "x"}, {"content": None}),
        ({"tool_calls": []}, {"content": None}),
        ({"tool_calls": [CALL]}, {"content": None, "tool_calls": [CALL]}),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}, {"id": "", "function": None}]},
            {
                "content": None,
                "tool_calls": [
                    {"id": "call_r_0_0", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "call_r_0_1", "type": "function", "function": {"name": "", "arguments": "{}"}},
                ],
            },
        ),
        (
            {"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "g", "input": None}}]},
            {"content": None, "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "g", "input": ""}}]},
        ),
    ],
)
def test_message_joins_texts_and_normalises_reasoning_and_calls(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Texts are joined, reasoning has one name, calls have ids and their arguments as a string; the rest is passed on."""
    assert message(**given) == {"role": "assistant", **expected}


@pytest.mark.parametrize(
    ("reason", "called", "expected"),
    [
        ("length", True, "length"),
        ("function_call", False, "function_call"),
        (None, True, "tool_calls"),
        ("eos", False, "stop"),
        (["stop"], False, "stop"),
    ],
)
def test_unknown_finish_reason_follows_from_the_calls(reason: object, called: bool, expected: str) -> None:
    """OpenAI's reasons are passed on; an unknown one is `tool_calls` where tools were called, else `stop`."""
    assert finish_reason(reason, called=called) == expected


def test_members_about_the_answer_are_kept() -> None:
    """Members that say how the answer was made are kept."""
    assert extra_of({"service_tier": "flex", "system_fingerprint": None, "object": "x"}) == {"service_tier": "flex"}


@pytest.mark.parametrize("raw", [None, "x", {}, {"prompt_tokens": -1, "completion_tokens": "2"}])
def test_unusable_usage_is_none(raw: object) -> None:
    """Where no count is usable there is no usage."""
    assert parse_usage(raw) is None


def test_every_usage_count_is_read() -> None:
    """All counts are read, and what was sent is kept."""
    raw = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30, "audio_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 15},
    }
    assert parse_usage(raw) == Usage(100, 20, 60, 30, reasoning_tokens=15, prompt_audio_tokens=5, raw=raw)


def test_parts_are_within_the_whole() -> None:
    """What is part of the prompt or completion is never counted higher than the whole."""
    raw = {
        "prompt_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 8, "audio_tokens": 11},
        "completion_tokens_details": {"reasoning_tokens": 9},
    }
    usage = parse_usage(raw)
    assert usage is not None
    assert (usage.cached_tokens, usage.cache_write_tokens, usage.prompt_audio_tokens, usage.reasoning_tokens) == (
        8,
        2,
        10,
        0,
    )


def test_content_parts_are_sorted_into_members() -> None:
    """Pictures in the content join those beside it, thoughts become reasoning, other parts are named as dropped."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    parts = [{"type": "text", "text": "a"}, thought, image, {"type": "reference", "reference_ids": [1]}]
    made = message(content=parts, images=[image], annotations=[{"type": "url_citation"}])
    assert (made["content"], made["reasoning_content"]) == ("a", "hm")
    assert made["images"] == [image, image]
    assert made["annotations"] == [{"type": "url_citation"}]
    assert dropped_kinds({"choices": [{"message": {"content": parts}}, {}, {"message": {"content": "x"}}]}) == [
        "reference"
    ]


def test_media_tokens_are_counted_by_kind() -> None:
    """Output that is not text is counted by kind, within the whole."""
    details = {"audio_tokens": 3, "image_tokens": 99, "video_tokens": "x"}
    usage = parse_usage({"completion_tokens": 20, "completion_tokens_details": details})
    assert usage is not None
    assert (usage.completion_audio_tokens, usage.completion_image_tokens, usage.completion_video_tokens) == (3, 20, 0)
