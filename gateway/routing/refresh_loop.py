"""Feeds stored outcomes to the strategies: those of this process soon, those of other processes on a timer."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError

from gateway.routing.estimation.throttle import SHARE, Pause, Throttle

log = logging.getLogger(__name__)

# Makes an engine learn what is stored; calls its argument between short steps.
Refresh = Callable[[Pause], None]

# Under load, refreshes take at most this share of the time, but outcomes wait no longer than this (seconds).
_SHARE = 0.02
_LONGEST = 5.0
# The longest time in seconds that a gateway is starting: a large ledger must not keep it from being used.
STARTING_SECONDS = 30.0


class RefreshLoop:
    """Runs `refresh` in a thread: first at once, then every `interval` seconds or after `wake`; one at a time.

    The first refresh takes all the time that it can get. Later ones run beside requests, so they sleep between slices of work.
    Every answer wakes the loop, so a refresh is delayed by `pause` seconds to take several outcomes at once, and longer where
    refreshes are slow: most of the cost does not depend on the number of outcomes.
    A failed refresh is logged and repeated in the next round; routing continues with what it knows.
    """

    def __init__(
        self,
        refresh: Refresh,
        *,
        interval: float = 10.0,
        pause: float = 0.25,
        starting_seconds: float = STARTING_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refresh = refresh
        self._clock = clock
        self._last_duration = 0.0
        self._interval = interval
        self._pause = pause
        self._woken = asyncio.Event()
        self._started = asyncio.Event()
        self._starting_seconds = starting_seconds
        self._stopped = threading.Event()
        self.starting = False

    def wake(self) -> None:
        """There are new outcomes."""
        self._woken.set()

    async def wait_started(self, seconds: float) -> None:
        """Waits until the first refresh is over, or failed, at most so long."""
        try:
            await asyncio.wait_for(self._started.wait(), seconds)
        except TimeoutError:
            log.info("the outcomes in the ledger are still being learned; /readyz answers 503 meanwhile")

    async def run(self) -> None:
        """Runs until it is cancelled; a refresh that is running ends at its next pause.

        `starting` is true until the first refresh is over, or failed, but no longer than `starting_seconds`.
        """
        self.starting = True
        overdue = asyncio.get_running_loop().call_later(self._starting_seconds, self._start)
        try:
            await self._try_refresh(share=1.0)
            self._start()
            while True:
                await self._new_outcomes()
                self._woken.clear()
                await self._try_refresh(share=SHARE)
        finally:
            overdue.cancel()
            self._stopped.set()

    async def in_slices(self, refresh: Refresh, *, share: float = SHARE) -> None:
        """Runs `refresh` in a thread that takes at most this share of the time. Raises what `refresh` raises."""
        await asyncio.to_thread(self._in_slices, refresh, share)

    def _in_slices(self, refresh: Refresh, share: float) -> None:
        try:
            refresh(Throttle(self._stopped.wait, clock=time.thread_time, share=share).pause)
        except CancelledError:
            log.debug("the gateway ends; a refresh is left unfinished")

    def _start(self) -> None:
        self.starting = False
        self._started.set()

    async def _new_outcomes(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._interval)
        except TimeoutError:
            log.debug("interval over: read the outcomes of other processes")
        else:
            await asyncio.sleep(batching_delay(self._last_duration, pause=self._pause))

    async def _try_refresh(self, *, share: float) -> None:
        began = self._clock()
        try:
            await self.in_slices(self._refresh, share=share)
        except Exception:  # serving continues
            log.exception("strategies could not learn from the ledger; routing continues with the current estimates")
        self._last_duration = self._clock() - began


def batching_delay(last_duration: float, *, pause: float) -> float:
    """Seconds to wait for more outcomes before a refresh, from the duration of the last one in seconds."""
    return max(pause, min(_LONGEST, last_duration / _SHARE))
