"""The values of the wire."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest, Usage, count


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (7, 7),
        (7.9, 7),
        (10**12, 10**12),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**13, None),
        ("7", None),
        (True, None),
        (None, None),
    ],
)
def test_token_count_is_finite_and_bounded(value: object, expected: int | None) -> None:
    """A token count is a finite number from 0 to 10^12; anything else is unknown."""
    assert count(value) == expected


def test_openai_usage_has_total_and_cache_writes() -> None:
    """OpenAI's usage has the total, and cache writes of both lifetimes as one."""
    usage = Usage(
        10, 5, cached_tokens=2, cache_write_tokens=1, cache_write_1h_tokens=3, reasoning_tokens=4, prompt_audio_tokens=6
    )
    assert usage.openai() == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 4, "audio_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }


def chat(**members: Any) -> ChatRequest:
    return ChatRequest(body=members, model="auto", messages=[])


@pytest.mark.parametrize(
    ("members", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 0}, 0),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
    ],
)
def test_the_newer_name_of_the_output_limit_wins(members: dict[str, Any], limit: int | None) -> None:
    """Where the client sets both, also to 0; null counts as absent."""
    assert chat(**members).output_limit == limit


def test_choices_and_answer_format_have_defaults() -> None:
    """One choice and no prescribed format, unless the body says otherwise."""
    assert (chat().choices, chat().response_format) == (1, None)
    asked = chat(n=3, response_format={"type": "json_object"})
    assert (asked.choices, asked.response_format) == (3, "json_object")
