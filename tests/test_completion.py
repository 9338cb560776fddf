"""The values of the wire."""

from __future__ import annotations

import pytest

from gateway.completion import Usage, count


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
