"""When strategies hear of new outcomes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.routing import Pause, Refresh, RefreshLoop
from gateway.routing.refresh_loop import batching_delay


@asynccontextmanager
async def running(refresh_loop: RefreshLoop) -> AsyncIterator[None]:
    task = asyncio.create_task(refresh_loop.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def after(count: int, done: threading.Event) -> Callable[[Pause], None]:
    """A refresh that sets `done` in its call number `count`."""
    calls: list[int] = []

    def refresh(pause: Pause) -> None:
        calls.append(1)
        if len(calls) == count:
            done.set()

    return refresh


async def happens(done: threading.Event) -> bool:
    return await asyncio.to_thread(done.wait, 5)


async def test_stored_outcomes_are_learned_at_the_start() -> None:
    """The first refresh waits for no timer, and the loop is starting until it is over."""
    begun, go_on = threading.Event(), threading.Event()

    def refresh(pause: Pause) -> None:
        begun.set()
        go_on.wait(5)

    refresh_loop = RefreshLoop(refresh, interval=3600)
    async with running(refresh_loop):
        assert await happens(begun)
        assert refresh_loop.starting
        go_on.set()
        await refresh_loop.wait_started(5)
        assert not refresh_loop.starting


async def test_start_does_not_wait_for_a_slow_refresh(caplog: pytest.LogCaptureFixture) -> None:
    """Serving begins after the given time, while the refresh goes on; after `starting_seconds` the loop is not starting any more."""
    go_on = threading.Event()

    def refresh(pause: Pause) -> None:
        go_on.wait(5)

    refresh_loop = RefreshLoop(refresh, interval=3600, starting_seconds=0.05)
    with caplog.at_level(logging.INFO):
        async with running(refresh_loop):
            await refresh_loop.wait_started(0.001)
            assert refresh_loop.starting
            assert "still being learned" in caplog.text
            await refresh_loop.wait_started(5)
            assert not refresh_loop.starting
            go_on.set()


async def test_a_nudge_is_answered_soon() -> None:
    """A nudge makes the strategies learn now, not at the next turn of the timer."""
    learned = threading.Event()
    refresh_loop = RefreshLoop(after(2, learned), interval=3600, pause=0)
    refresh_loop.wake()
    async with running(refresh_loop):
        assert await happens(learned)


async def test_the_timer_turns() -> None:
    """Without a nudge the strategies learn on the timer: other processes write too."""
    learned = threading.Event()
    async with running(RefreshLoop(after(3, learned), interval=0.001)):
        assert await happens(learned)


async def test_failures_are_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A refresh that fails is logged, ends the start, and the next one runs."""
    tries: list[int] = []
    twice = threading.Event()

    def refresh(pause: Pause) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the ledger is away")
        twice.set()

    refresh_loop = RefreshLoop(refresh, interval=0.001)
    with caplog.at_level(logging.ERROR):
        async with running(refresh_loop):
            await refresh_loop.wait_started(5)
            assert await happens(twice)
    assert "could not learn" in caplog.text
    assert not refresh_loop.starting


@pytest.mark.parametrize("number", [1, 2], ids=["first", "later"])
async def test_unfinished_refresh_ends_with_the_loop(number: int) -> None:
    """A refresh that is running when the gateway ends stops at its next pause: the process does not wait for it."""
    begun, ended = threading.Event(), threading.Event()
    calls: list[int] = []

    def refresh(pause: Pause) -> None:
        calls.append(1)
        if len(calls) < number:
            return
        begun.set()
        try:
            while True:
                pause()
        finally:
            ended.set()

    async with running(RefreshLoop(refresh, interval=0.001)):
        assert await happens(begun)
    assert await happens(ended)


async def test_other_refreshes_raise_what_they_raise() -> None:
    """A reload learns in slices too, and hears of a failure."""

    def fails(pause: Pause) -> None:
        pause()
        raise OSError("the ledger is away")

    refresh: Refresh = fails
    with pytest.raises(OSError, match="away"):
        await RefreshLoop(refresh).in_slices(refresh)


@pytest.mark.parametrize(("took", "seconds"), [(0.0, 0.25), (0.005, 0.25), (0.02, 1.0), (3.0, 5.0)])
def test_slow_learning_waits_for_more(took: float, seconds: float) -> None:
    """Learning that takes long is done less often, so that it takes a fiftieth of the time, but news never wait for more than 5 s."""
    assert batching_delay(took, pause=0.25) == pytest.approx(seconds)
