"""What runs beside the requests."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from gateway.app.background import run_periodically


async def test_failed_periodic_task_is_run_again(caplog: pytest.LogCaptureFixture) -> None:
    """Periodic work runs in a thread; the first of several failures in a row is logged, and the next call comes all the same."""
    threads: list[str] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        threads.append(threading.current_thread().name)
        if len(threads) in (1, 2, 3, 5):
            raise ValueError("for a while")
        if len(threads) < 6:
            return
        loop.call_soon_threadsafe(done.set)

    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(run_periodically(0, work))
        await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [record.message for record in caplog.records] == ["a periodic task failed; it is tried again every 0 s"] * 2
    assert threading.current_thread().name not in threads


async def test_periodic_task_is_run_when_it_is_woken() -> None:
    """Work that is woken does not wait for its time; it is run once for each time it was woken."""
    woken, done = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    runs: list[None] = []

    def work() -> None:
        runs.append(None)
        loop.call_soon_threadsafe(done.set)

    task = asyncio.create_task(run_periodically(3_600, work, woken=woken))
    for _ in range(2):
        done.clear()
        woken.set()
        await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(runs) == 2
