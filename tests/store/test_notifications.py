"""How the writer's answers reach those who wait."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.notifications import LoopWaiter, resolve


def waiter() -> LoopWaiter:
    return LoopWaiter(asyncio.get_running_loop().create_future(), None)


async def test_answers_arrive_in_order() -> None:
    """What one commit completed in another thread arrives in its order."""
    waiters = [waiter() for _ in range(3)]

    await asyncio.to_thread(resolve, [(each, number) for number, each in enumerate(waiters)])

    assert await asyncio.gather(*(each.future for each in waiters)) == [0, 1, 2]


async def test_refused_mutation_raises_where_it_is_awaited() -> None:
    """A change that failed raises where it is waited for."""
    refused = waiter()

    await asyncio.to_thread(resolve, [(refused, LedgerUnavailable("The disk is full."))])

    with pytest.raises(LedgerUnavailable):
        await refused.future


async def test_who_leaves_is_not_missed() -> None:
    """Who stops waiting takes nothing back: the listener hears of the change, and others get theirs."""
    heard: list[BaseException | None] = []
    left = waiter()._replace(then=heard.append)
    left.future.cancel()
    stayed = waiter()._replace(then=heard.append)
    refusal = LedgerUnavailable("The disk is full.")

    resolve([(left, refusal), (stayed, 1)])

    assert await stayed.future == 1
    assert heard == [refusal, None]


def test_future_without_a_loop_is_resolved_at_once() -> None:
    """A future of a thread gets its answer or its error at once."""
    good: Future[int] = Future()
    bad: Future[int] = Future()

    resolve([(good, 7), (bad, LedgerUnavailable("The disk is full."))])

    assert good.result(0) == 7
    assert isinstance(bad.exception(0), LedgerUnavailable)


def test_notification_for_a_closed_loop_is_dropped() -> None:
    """What arrives for a loop that has been closed is dropped; others get theirs."""

    async def leave() -> LoopWaiter:
        return waiter()

    late = asyncio.run(leave())
    other: Future[int] = Future()

    resolve([(late, 1), (other, 2)])

    assert other.result(0) == 2
    assert not late.future.done()
