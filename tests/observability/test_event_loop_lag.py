"""The heartbeat."""

from __future__ import annotations

import asyncio

from gateway.observability.event_loop_lag import INTERVAL, PERIOD, EventLoopLag


async def test_the_longest_delay_is_kept_for_a_while() -> None:
    """What held up the event loop is seen for the period it happened in and the next one, and then forgotten."""
    now = 0.0
    delays = iter([0.0, 0.3, 0.1, PERIOD, 0.0, PERIOD, 0.0])
    seen: list[float] = []
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds == INTERVAL
        seen.append(round(event_loop_lag.lag, 6))
        late = next(delays, None)
        if late is None:
            over.set()
            await asyncio.Event().wait()
        now += seconds + (late or 0.0)

    event_loop_lag = EventLoopLag(lambda: now, sleep=sleep)
    beating = asyncio.create_task(event_loop_lag.run())
    await over.wait()
    beating.cancel()
    assert seen == [0, 0, 0.3, 0.3, PERIOD, PERIOD, PERIOD, PERIOD]


async def test_real_blocking_is_seen() -> None:
    """By the event loop's own clock and sleep, work that does not yield shows as a delay of its length."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Queue[None]()

    async def sleep(seconds: float) -> None:
        woken.put_nowait(None)
        await asyncio.sleep(seconds)

    event_loop_lag = EventLoopLag(loop.time, sleep=sleep)
    beating = asyncio.create_task(event_loop_lag.run())
    await woken.get()
    until = loop.time() + INTERVAL + 0.05
    while loop.time() < until:
        continue
    await woken.get()
    beating.cancel()
    assert event_loop_lag.lag >= 0.05
