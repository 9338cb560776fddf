"""Stored outcomes to strategies: this process's own at once, other processes' on a timer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# While answers keep coming, learning takes no more than this share of the time, unless that would keep news for longer (seconds).
_SHARE = 0.02
_LONGEST = 5.0


class RefreshLoop:
    """Runs `refresh` off the loop, `interval` seconds apart or when `nudge` is called; one at a time.

    Under load every answer nudges, so a refresh takes what came in the `pause` seconds after the first of them, and in longer
    ones where refreshes take long: most of one's cost is the same for one outcome and for a hundred.
    A refresh that fails is logged and tried again at the next turn: routing goes on with what it knows.
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
        self._took = 0.0
        self._interval = interval
        self._pause = pause
        self._nudged = asyncio.Event()

    def wake(self) -> None:
        """There is something new to learn."""
        self._nudged.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._nudged.wait(), self._interval)
            except TimeoutError:
                log.debug("time to look for outcomes of other processes")
            else:
                await asyncio.sleep(batching_delay(self._took, pause=self._pause))
            self._nudged.clear()
            began = self._clock()
            try:
                await asyncio.to_thread(self._refresh)
            except Exception:  # whatever broke is logged, and serving goes on
                log.exception("strategies could not learn from the ledger; routing goes on with what they know")
            self._took = self._clock() - began


def batching_delay(took: float, *, pause: float) -> float:
    """Seconds to wait for more, once there is news, when the last refresh took so many."""
    return max(pause, min(_LONGEST, took / _SHARE))
