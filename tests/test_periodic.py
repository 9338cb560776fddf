"""Work that is done again and again."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from gateway.periodic import every


async def test_failures_do_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """The work is done off the loop again and again; a failure is logged, once for as long as it lasts, and the next turn comes all the same."""
    turns: list[str] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        turns.append(threading.current_thread().name)
        if len(turns) in (1, 2, 3, 5):
            raise ValueError("for a while")
        if len(turns) < 6:
            return
        loop.call_soon_threadsafe(done.set)

    with caplog.at_level(logging.ERROR):
        task = asyncio.create_task(every(0, work))
        await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [record.message for record in caplog.records] == ["a periodic task failed; it is tried again every 0 s"] * 2
    assert threading.current_thread().name not in turns
