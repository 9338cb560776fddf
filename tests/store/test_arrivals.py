"""How commits reach the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.arrivals import Arrivals


def started() -> Future[int]:
    future: Future[int] = Future()
    future.set_running_or_notify_cancel()
    return future


async def in_a_thread(*changes: Future[int]) -> None:
    """As the writer does: one after the other, in another thread."""

    def commit() -> None:
        for number, change in enumerate(changes):
            change.set_result(number)

    await asyncio.to_thread(commit)


async def test_results_arrive_in_order() -> None:
    """What one commit completed arrives in its order."""
    arrivals, changes = Arrivals(), [started() for _ in range(3)]
    waiters = [arrivals.of(change) for change in changes]

    await in_a_thread(*changes)

    assert await asyncio.gather(*waiters) == [0, 1, 2]


async def test_a_refusal_arrives() -> None:
    """A change that failed raises where it is waited for."""
    arrivals, change = Arrivals(), started()
    waiter = arrivals.of(change)

    change.set_exception(LedgerUnavailable("The disk is full."))

    with pytest.raises(LedgerUnavailable):
        await waiter


async def test_a_change_that_is_done_already() -> None:
    """A change that was complete before it was asked for arrives too."""
    change = started()
    change.set_result(7)

    assert await Arrivals().of(change) == 7


async def test_who_leaves_is_not_missed() -> None:
    """Who stops waiting takes nothing back: the listener hears of the change, and others get theirs."""
    arrivals, left, stayed = Arrivals(), started(), started()
    heard: list[Future[int]] = []
    arrivals.of(left, then=heard.append).cancel()
    waiter = arrivals.of(stayed)

    await in_a_thread(left, stayed)

    assert await waiter == 1
    assert heard == [left]


def test_a_closed_loop() -> None:
    """What arrives for a loop that has been closed is dropped; the next loop gets its own."""
    arrivals, late, next_one = Arrivals(), started(), started()

    async def leave() -> None:
        arrivals.of(late)

    async def wait() -> int:
        waiter = arrivals.of(next_one)
        await in_a_thread(late, next_one)
        return await waiter

    asyncio.run(leave())

    assert asyncio.run(wait()) == 1
