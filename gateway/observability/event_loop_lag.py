"""Event-loop lag: how late the loop runs its callbacks. Every stream is delayed by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

INTERVAL = 0.1  # seconds
PERIOD = 15.0  # seconds, the usual distance between two scrapes


class EventLoopLag:
    """Wakes every INTERVAL and measures how late. `clock` is monotonic seconds."""

    def __init__(
        self, clock: Callable[[], float], *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._began = clock()
        self._worst = self._before = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            due = self._clock() + INTERVAL
            await self._sleep(INTERVAL)
            self._observe(self._clock() - due)

    @property
    def lag(self) -> float:
        """The longest delay of this period and the one before, in seconds."""
        return max(self._worst, self._before)

    def _observe(self, late: float) -> None:
        now = self._clock()
        if now - self._began >= PERIOD:
            self._began, self._before, self._worst = now, self._worst, 0.0
        self._worst = max(self._worst, late)
