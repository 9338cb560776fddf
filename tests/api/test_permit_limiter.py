"""Requests a minute of a key over all replicas: permits are taken a few at a time, and given back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import pytest

from gateway.api.permit_limiter import ASK_AGAIN_SECONDS, SWEEP_SECONDS, PermitLimiter
from gateway.errors import LedgerUnavailable, RateLimited
from gateway.store import EndedPermits, Permits
from gateway.store.replicas import PERMIT_SECONDS
from tests.resilience.clocks import Clock

T = TypeVar("T")


class ScriptedReplicas:
    """A ledger with `free` permits for each key. It notes what is asked for and given back; `error` is raised instead."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.asked: list[int] = []
        self.ended: list[EndedPermits] = []
        self.error: Exception | None = None

    def take_permits(self, key_id: str, *, rpm: int, wanted: int) -> asyncio.Future[Permits]:
        self.asked.append(wanted)
        granted = min(self.free, wanted)
        self.free -= granted
        return self._done(Permits(len(self.asked), granted, 0.0 if granted == wanted else 30.0))

    def end_permits(self, ended: Sequence[EndedPermits]) -> asyncio.Future[None]:
        self.ended += ended
        return self._done(None)

    def _done(self, result: T) -> asyncio.Future[T]:
        future = asyncio.get_running_loop().create_future()
        if self.error is None:
            future.set_result(result)
        else:
            future.set_exception(self.error)
        return future


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_requests_of_one_moment_ask_once(clock: Clock) -> None:
    """Requests that come together share one question; those that the answer does not cover are refused with the wait."""
    replicas = ScriptedReplicas(free=8)
    limiter = PermitLimiter(replicas, clock)
    results = await asyncio.gather(*(limiter.admit("k", rpm=60) for _ in range(10)), return_exceptions=True)
    assert [result is None for result in results] == [True] * 8 + [False] * 2
    assert isinstance(results[-1], RateLimited)
    assert (results[-1].retry_after, "60 requests a minute" in results[-1].message) == (30.0, True)
    assert replicas.asked == [10]


async def test_a_second_of_permits_is_taken_at_once(clock: Clock) -> None:
    """A key with a high limit asks the ledger once a second, one with a low limit for each request."""
    replicas = ScriptedReplicas(free=1_000)
    limiter = PermitLimiter(replicas, clock)
    for _ in range(10):
        await limiter.admit("high", rpm=600)
    assert replicas.asked == [10]
    await limiter.admit("low", rpm=30)
    await limiter.admit("low", rpm=30)
    assert replicas.asked == [10, 1, 1]


async def test_unused_permits_are_given_back(clock: Clock) -> None:
    """What was not used a second after it was taken is given back, with the time of the last use; then nothing is remembered."""
    replicas = ScriptedReplicas(free=100)
    limiter = PermitLimiter(replicas, clock)
    await limiter.admit("k", rpm=600)
    clock.pass_by(SWEEP_SECONDS / 2)
    await limiter.admit("k", rpm=600)
    await limiter.sweep()
    assert replicas.ended == []
    clock.pass_by(SWEEP_SECONDS / 2)
    await limiter.sweep()
    assert replicas.ended == [EndedPermits(1, used=2, seconds=SWEEP_SECONDS / 2)]
    assert limiter._keys == {}


async def test_used_up_permits_are_ended_too(clock: Clock) -> None:
    """When more is taken, what was used before is told at the next sweep."""
    replicas = ScriptedReplicas(free=100)
    limiter = PermitLimiter(replicas, clock)
    await limiter.admit("k", rpm=30)
    await limiter.admit("k", rpm=30)
    await limiter.sweep()
    assert replicas.ended == [EndedPermits(1, used=1, seconds=0.0)]


async def test_old_permits_are_not_used(clock: Clock) -> None:
    """Permits whose time is over are not used, even if nobody has given them back."""
    replicas = ScriptedReplicas(free=100)
    limiter = PermitLimiter(replicas, clock)
    await limiter.admit("k", rpm=600)
    clock.pass_by(PERMIT_SECONDS + 1)
    await limiter.admit("k", rpm=600)
    assert replicas.asked == [10, 10]


async def test_after_a_refusal_the_ledger_is_asked_again_later(clock: Clock) -> None:
    """A client that insists costs the ledger two questions a second, whatever it sends; what others gave back is found then."""
    replicas = ScriptedReplicas(free=0)
    limiter = PermitLimiter(replicas, clock)
    for _ in range(20):
        with pytest.raises(RateLimited):
            await limiter.admit("k", rpm=60)
    await limiter.sweep()
    assert replicas.asked == [1]
    replicas.free = 1
    clock.pass_by(ASK_AGAIN_SECONDS)
    await limiter.admit("k", rpm=60)
    assert replicas.asked == [1, 1]


async def test_ledger_that_is_away_refuses_and_is_asked_again(clock: Clock) -> None:
    """All requests that wait for the ledger get its error; the next one asks again. What cannot be given back is forgotten."""
    replicas = ScriptedReplicas(free=100)
    limiter = PermitLimiter(replicas, clock)
    await limiter.admit("k", rpm=600)
    replicas.error = LedgerUnavailable("away")
    clock.pass_by(SWEEP_SECONDS)
    await limiter.sweep()
    results = await asyncio.gather(*(limiter.admit("k", rpm=600) for _ in range(2)), return_exceptions=True)
    assert [type(result) for result in results] == [LedgerUnavailable] * 2
    replicas.error = None
    await limiter.admit("k", rpm=600)


async def test_client_that_leaves_does_not_take_the_answer_from_others(clock: Clock) -> None:
    """A request that is cancelled while it waits leaves the question of the others as it is."""
    replicas = ScriptedReplicas(free=100)
    limiter = PermitLimiter(replicas, clock)
    leaving, staying = (asyncio.create_task(limiter.admit("k", rpm=30)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    assert leaving.cancelled()
    assert replicas.asked == [1]


async def test_sweeps_come_every_second(clock: Clock) -> None:
    """`run` sweeps after each pause until it is cancelled."""
    replicas = ScriptedReplicas(free=100)
    pauses: list[float] = []
    swept = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.pass_by(seconds)
        if replicas.ended:
            swept.set()
        await asyncio.sleep(0)

    limiter = PermitLimiter(replicas, clock, sleep=sleep)
    await limiter.admit("k", rpm=600)
    running = asyncio.create_task(limiter.run())
    await swept.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert set(pauses) == {SWEEP_SECONDS}
