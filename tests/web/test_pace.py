"""How many requests a minute a key may make."""

from __future__ import annotations

import pytest

from gateway.errors import RateLimited
from gateway.web.pace import Pace
from tests.fallback.clocks import Clock


def test_within_any_minute() -> None:
    """Within any 60 seconds a key makes its number of requests; the refusal says when the next may come."""
    clock = Clock()
    pace = Pace(clock)
    pace.admit("a", rpm=2)
    clock.pass_by(20)
    pace.admit("a", rpm=2)
    with pytest.raises(RateLimited) as refused:
        pace.admit("a", rpm=2)
    assert refused.value.retry_after == 40
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    clock.pass_by(40)
    pace.admit("a", rpm=2)
    with pytest.raises(RateLimited):
        pace.admit("a", rpm=2)


def test_each_key_for_itself() -> None:
    """One key's requests do not count for another."""
    pace = Pace(Clock())
    pace.admit("a", rpm=1)
    pace.admit("b", rpm=1)


def test_a_lowered_rate() -> None:
    """A rate that is lowered counts at once, and says when the key is below it again."""
    clock = Clock()
    pace = Pace(clock)
    for _ in range(3):
        pace.admit("a", rpm=3)
        clock.pass_by(10)
    with pytest.raises(RateLimited) as refused:
        pace.admit("a", rpm=1)
    assert refused.value.retry_after == 50
