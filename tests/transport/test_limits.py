"""The limits of a single call, made from those that are set."""

from __future__ import annotations

from gateway.transport import TimeLimits, Timeouts

LIMITS = TimeLimits(connect=1, first_byte=2, thinking=3, idle=4, total=5, stream=6)


def test_whole_answer_has_a_total_limit_only() -> None:
    """A whole answer has its total, and no limit on silence beside; what is left of its request may be less."""
    assert LIMITS.of_answer(100) == Timeouts(connect=1, first_byte=5, idle=5, total=5)
    assert LIMITS.of_answer(3).total == 3


def test_stream_has_limits_on_first_content_silence_and_total() -> None:
    """A stream has a limit on its first content by whether the model thinks, one on silence, and one for all of it."""
    assert LIMITS.of_stream(100, thinks=False) == Timeouts(connect=1, first_byte=2, idle=4, total=6)
    assert LIMITS.of_stream(100, thinks=True) == Timeouts(connect=1, first_byte=3, idle=4, total=6)
    assert LIMITS.of_stream(1.5, thinks=True).total == 1.5


def test_an_answer_in_time_for_sdks() -> None:
    """A whole answer's limit is told before OpenAI's and Anthropic's SDKs give up, after 600 s."""
    assert 580 < TimeLimits().total < 600
