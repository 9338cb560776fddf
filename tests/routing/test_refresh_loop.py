"""When strategies hear of new outcomes."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress

import pytest

from gateway.routing.refresh_loop import RefreshLoop, batching_delay


async def run_until(refresh_loop: RefreshLoop, done: threading.Event) -> None:
    task = asyncio.create_task(refresh_loop.run())
    assert await asyncio.to_thread(done.wait, 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_nudge_is_answered_soon() -> None:
    """A nudge makes the strategies learn now, not at the next turn of the timer."""
    learned = threading.Event()
    refresh_loop = RefreshLoop(learned.set, interval=3600, pause=0)
    refresh_loop.wake()
    await run_until(refresh_loop, learned)
    assert learned.is_set()


async def test_the_timer_turns() -> None:
    """Without a nudge the strategies learn on the timer: other processes write too."""
    learned = threading.Event()
    await run_until(RefreshLoop(learned.set, interval=0.001), learned)
    assert learned.is_set()


async def test_failures_are_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A refresh that fails is logged, and the next one runs."""
    tries: list[int] = []
    twice = threading.Event()

    def refresh() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the ledger is away")
        twice.set()

    with caplog.at_level(logging.ERROR):
        await run_until(RefreshLoop(refresh, interval=0.001), twice)
    assert "could not learn" in caplog.text


@pytest.mark.parametrize(("took", "seconds"), [(0.0, 0.25), (0.005, 0.25), (0.02, 1.0), (3.0, 5.0)])
def test_slow_learning_waits_for_more(took: float, seconds: float) -> None:
    """Learning that takes long is done less often, so that it takes a fiftieth of the time, but news never wait for more than 5 s."""
    assert batching_delay(took, pause=0.25) == pytest.approx(seconds)
