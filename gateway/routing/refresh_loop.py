"""Feeds stored outcomes to the strategies: those of this process soon, those of other processes on a timer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# Under load, refreshes take at most this share of the time, but outcomes wait no longer than this (seconds).
_SHARE = 0.02
_LONGEST = 5.0


class RefreshLoop:
    """Runs `refresh` in a thread, every `interval` seconds or after `wake`; one at a time.

    Every answer wakes the loop, so a refresh is delayed by `pause` seconds to take several outcomes at once, and longer where
    refreshes are slow: most of the cost does not depend on the number of outcomes.
    A failed refresh is logged and repeated in the next round; routing continues with what it knows.
    """

    def __init__(
        self,
        refresh: Callable[[], None],
        *,
        interval: float = 10.0,
        pause: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refresh = refresh
        self._clock = clock
        self._last_duration = 0.0
        self._interval = interval
        self._pause = pause
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There are new outcomes."""
        self._woken.set()

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._woken.wait(), self._interval)
            except TimeoutError:
                log.debug("interval over: read the outcomes of other processes")
            else:
                await asyncio.sleep(batching_delay(self._last_duration, pause=self._pause))
            self._woken.clear()
            started = self._clock()
            try:
                await asyncio.to_thread(self._refresh)
            except Exception:  # serving continues
                log.exception(
                    "strategies could not learn from the ledger; routing continues with the current estimates"
                )
            self._last_duration = self._clock() - started


def batching_delay(last_duration: float, *, pause: float) -> float:
    """Seconds to wait for more outcomes before a refresh, from the duration of the last one in seconds."""
    return max(pause, min(_LONGEST, last_duration / _SHARE))
