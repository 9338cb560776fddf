"""How many requests a minute a key may make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.api.rate_limit import FallbackLimiter, SharedSlidingWindowLimiter, SlidingWindowLimiter
from gateway.errors import LedgerUnavailable, RateLimited
from tests.resilience.clocks import Clock


async def test_rate_holds_within_any_minute() -> None:
    """Within any 60 seconds a key makes its number of requests; the refusal says when the next may come."""
    clock = Clock()
    pace = SlidingWindowLimiter(clock)
    await pace.admit("a", rpm=2)
    clock.pass_by(20)
    await pace.admit("a", rpm=2)
    with pytest.raises(RateLimited) as refused:
        await pace.admit("a", rpm=2)
    assert refused.value.retry_after == 40
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    clock.pass_by(40)
    await pace.admit("a", rpm=2)
    with pytest.raises(RateLimited):
        await pace.admit("a", rpm=2)


async def test_each_key_has_its_own_rate() -> None:
    """One key's requests do not count for another."""
    pace = SlidingWindowLimiter(Clock())
    await pace.admit("a", rpm=1)
    await pace.admit("b", rpm=1)
    for key in ("a", "b"):
        with pytest.raises(RateLimited):
            await pace.admit(key, rpm=1)


async def test_lowered_rate_counts_at_once() -> None:
    """A rate that is lowered counts at once, and says when the key is below it again."""
    clock = Clock()
    pace = SlidingWindowLimiter(clock)
    for _ in range(3):
        await pace.admit("a", rpm=3)
        clock.pass_by(10)
    with pytest.raises(RateLimited) as refused:
        await pace.admit("a", rpm=1)
    assert refused.value.retry_after == 50


async def test_processes_with_one_folder_share_one_rate(tmp_path: Path) -> None:
    """Processes that share a folder admit together what one would, whichever is asked."""
    clock = Clock()
    first, second = SharedSlidingWindowLimiter(clock, tmp_path), SharedSlidingWindowLimiter(clock, tmp_path)
    await first.admit("a", rpm=2)
    clock.pass_by(20)
    await second.admit("a", rpm=2)
    with pytest.raises(RateLimited) as refused:
        await first.admit("a", rpm=2)
    assert refused.value.retry_after == 40
    await second.admit("b", rpm=1)
    clock.pass_by(40)
    await first.admit("a", rpm=2)
    with pytest.raises(RateLimited):
        await second.admit("a", rpm=2)


def test_processes_never_exceed_the_rate_together(tmp_path: Path) -> None:
    """However many processes ask at the same moment, a key gets its number and no more."""
    script = """
import asyncio, sys, time
from pathlib import Path
from gateway.errors import RateLimited
from gateway.api.rate_limit import SharedSlidingWindowLimiter
limiter, admitted = SharedSlidingWindowLimiter(time.monotonic, Path(sys.argv[1])), 0
for _ in range(200):
    try:
        asyncio.run(limiter.admit("a", rpm=100))
        admitted += 1
    except RateLimited:
        pass
print(admitted)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]  # noqa: S603 - shown above
    assert sum(int(each.communicate()[0]) for each in asking) == 100


async def test_forgotten_requests_do_not_count(tmp_path: Path) -> None:
    """What is forgotten does not count any more, for all processes; to forget nothing is no mistake."""
    for pace in (SlidingWindowLimiter(Clock()), SharedSlidingWindowLimiter(Clock(), tmp_path)):
        pace.forget("a")
        await pace.admit("a", rpm=1)
        with pytest.raises(RateLimited):
            await pace.admit("a", rpm=1)
        pace.forget("a")
        await pace.admit("a", rpm=1)


class UncountedLimiter:
    """A limiter whose ledger is away."""

    async def admit(self, key_id: str, *, rpm: int) -> None:
        raise LedgerUnavailable("away")


async def test_fallback_counts_what_the_first_limiter_cannot() -> None:
    """While one limiter cannot count, the other admits and refuses; what the first refuses stays refused."""
    lenient = FallbackLimiter(UncountedLimiter(), SlidingWindowLimiter(Clock()))
    await lenient.admit("a", rpm=1)
    with pytest.raises(RateLimited):
        await lenient.admit("a", rpm=1)
    strict = FallbackLimiter(SlidingWindowLimiter(Clock()), SlidingWindowLimiter(Clock()))
    await strict.admit("a", rpm=1)
    with pytest.raises(RateLimited):
        await strict.admit("a", rpm=1)
