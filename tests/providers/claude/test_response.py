"""Whole answers: what is not one, and usage as odd as it comes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UpstreamInvalidResponse
from gateway.providers.claude.response import parse_usage
from tests.providers.claude.asking import WEATHER, claude, sent

USAGE = {"input_tokens": 3, "output_tokens": 5}


def answered(content: Any, *, usage: Any = USAGE, **members: Any) -> Any:
    return claude().parse_response({"content": content, "stop_reason": "end_turn", "usage": usage, **members}, sent())


@pytest.mark.parametrize("body", [{}, {"content": "Hi"}, {"content": None}, {"completion": "Hi"}])
def test_answer_without_content_blocks_is_refused(body: dict[str, Any]) -> None:
    """What has no content blocks is not an answer."""
    with pytest.raises(UpstreamInvalidResponse):
        claude().parse_response(body, sent())


def test_odd_blocks_and_reasons_are_passed_over() -> None:
    """Blocks that are not what they should be do no harm, nor does a reason that nobody knows."""
    completion = answered(
        [None, "x", {"type": "text"}, {"type": ["text"]}, {"type": "text", "text": "Hi"}], stop_reason="bored"
    )
    assert completion.choices[0]["message"] == {"role": "assistant", "content": "Hi", "refusal": None}
    assert completion.choices[0]["finish_reason"] == "stop"
    assert answered([], stop_reason=None).choices[0]["finish_reason"] == "stop"
    assert answered([], stop_reason={}).choices[0]["finish_reason"] == "stop"


def test_call_without_name_or_input_is_still_a_call() -> None:
    """A call without a name or an input is still a call."""
    (call,) = answered([{"type": "tool_use"}]).choices[0]["message"]["tool_calls"]
    assert call == {"id": "", "type": "function", "function": {"name": "", "arguments": "{}"}}


def test_renamed_tool_answers_by_the_clients_name() -> None:
    """A tool whose name was changed answers by the client's."""
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "a.b", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ]  # fmt: skip
    content = [{"type": "tool_use", "id": "t", "name": "a_b", "input": {}}]
    completion = claude().parse_response({"content": content, "usage": USAGE}, sent(history, tools=[WEATHER]))
    assert completion.choices[0]["message"]["tool_calls"][0]["function"]["name"] == "a.b"
    assert completion.choices[0]["finish_reason"] == "tool_calls"


def test_id_and_service_tier_are_passed_on() -> None:
    """The message's id and the tier that served it are told, by OpenAI's names; other names are left out."""
    completion = answered([], id="msg_1", usage={**USAGE, "service_tier": "standard"})
    assert (completion.upstream_id, completion.extra) == ("msg_1", {"service_tier": "default"})
    completion = answered([], id=7, usage={**USAGE, "service_tier": "batch"})
    assert (completion.upstream_id, completion.extra) == (None, {})
    completion = answered([], usage=None)
    assert (completion.usage, completion.extra) == (None, {})


@pytest.mark.parametrize(
    "raw",
    [None, "many", {}, {"input_tokens": 3}, {**USAGE, "input_tokens": -1}, {**USAGE, "output_tokens": float("nan")}, {**USAGE, "output_tokens": "5"}],
)  # fmt: skip
def test_unusable_usage_is_none(raw: Any) -> None:
    """Usage that is missing, negative or no number is none."""
    assert parse_usage(raw) is None


@pytest.mark.parametrize(
    ("raw", "prompt", "read", "written", "hour"),
    [
        ({"cache_read_input_tokens": 7}, 10, 7, 0, 0),
        ({"cache_read_input_tokens": -7, "cache_creation": "x"}, 3, 0, 0, 0),
        ({"cache_creation_input_tokens": 4}, 7, 0, 4, 0),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}}, 6, 0, 1, 2),
        ({"cache_creation_input_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 5}}, 5, 0, 0, 2),
    ],
)
def test_cache_writes_are_split_by_lifetime_and_bounded(
    raw: Any, prompt: int, read: int, written: int, hour: int
) -> None:
    """What was written to the cache is split by its lifetime, and never more than all that was written."""
    usage = parse_usage({**USAGE, **raw})
    assert usage is not None
    assert (usage.prompt_tokens, usage.cached_tokens) == (prompt, read)
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == (written, hour)
    assert usage.raw == {**USAGE, **raw}


def test_reasoning_tokens_never_exceed_the_completion() -> None:
    """Reasoning is part of the completion, never more than it."""
    for thought, counted in ((4, 4), (9, 5), (-1, 0)):
        usage = parse_usage({**USAGE, "output_tokens_details": {"thinking_tokens": thought}})
        assert usage is not None
        assert (usage.completion_tokens, usage.reasoning_tokens) == (5, counted)
