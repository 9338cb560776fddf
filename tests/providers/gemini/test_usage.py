"""Token counts, the service tier and log probabilities of a response."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gateway.providers.gemini.usage import extra_of, logprobs_of, parse_usage


def test_usage_adds_cached_tool_and_thought_tokens() -> None:
    """Cached tokens are inside the prompt, tool use beside it, thoughts beside the answer; totals add up."""
    raw = {
        "promptTokenCount": 100,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "cachedContentTokenCount": 60,
        "totalTokenCount": 999,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 7},
            {"modality": "TEXT", "tokenCount": 93},
            "x",
            {"modality": "AUDIO"},
        ],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}],
    }
    usage = parse_usage({"usageMetadata": raw})
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (110, 50, 160)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (60, 30)
    assert (usage.prompt_audio_tokens, usage.cached_audio_tokens) == (7, 5)
    assert usage.raw is raw


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"promptTokenCount": -1},
        {"promptTokenCount": math.nan, "candidatesTokenCount": "7"},
        {"totalTokenCount": 3},
    ],
)
def test_unbelievable_usage_is_none(raw: Any) -> None:
    """Without a count that can be believed there is no usage."""
    assert parse_usage({"usageMetadata": raw}) is None


def test_missing_count_is_zero_and_parts_fit_the_whole() -> None:
    """A missing count is zero, and a part is never more than the whole."""
    usage = parse_usage(
        {"usageMetadata": {"promptTokenCount": 5, "cachedContentTokenCount": 9, "candidatesTokenCount": -3}}
    )
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (5, 0, 5)
    answer_only = parse_usage({"usageMetadata": {"candidatesTokenCount": 4}})
    assert answer_only is not None
    assert (answer_only.prompt_tokens, answer_only.completion_tokens) == (0, 4)


@pytest.mark.parametrize(
    ("raw", "extra"),
    [
        (None, {}),
        ({}, {}),
        ({"serviceTier": "STANDARD"}, {"service_tier": "default"}),
        ({"serviceTier": "flex"}, {"service_tier": "flex"}),
        ({"serviceTier": "x"}, {}),
    ],
)
def test_service_tier_is_given_in_openais_words(raw: Any, extra: Any) -> None:
    """The tier that was used is told in OpenAI's words, where it is known."""
    assert extra_of({"usageMetadata": raw}) == extra


def test_logprobs_have_bytes_and_alternatives() -> None:
    """Each chosen token stands with its bytes and its rivals."""
    result = {
        "chosenCandidates": [{"token": "é", "logProbability": -0.5}, "x", {"token": "b"}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, None]}, {}],
    }
    first = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    assert logprobs_of({"logprobsResult": result}) == {
        "content": [
            {**first, "top_logprobs": [first]},
            {"token": "b", "logprob": 0.0, "bytes": [98], "top_logprobs": []},
        ],
        "refusal": None,
    }


@pytest.mark.parametrize("result", [None, "x", {}, {"chosenCandidates": None}])
def test_missing_logprobs_are_none(result: Any) -> None:
    """Without log probabilities there are none."""
    assert logprobs_of({"logprobsResult": result}) is None


def test_logprobs_may_lack_alternatives() -> None:
    """Rivals may be missing."""
    made = logprobs_of({"logprobsResult": {"chosenCandidates": [{"token": "a"}], "topCandidates": "x"}})
    assert made is not None
    assert made["content"][0]["top_logprobs"] == []
