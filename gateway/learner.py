"""Stored outcomes to strategies: this process's own at once, other processes' on a timer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


class Learner:
    """Runs `refresh` off the loop, `interval` seconds apart or when `nudge` is called; one at a time.

    Under load every answer nudges, so a refresh takes what came in the `pause` seconds after the first of them.
    A refresh that fails is logged and tried again at the next turn: routing goes on with what it knows.
    """

    def __init__(self, refresh: Callable[[], None], *, interval: float = 10.0, pause: float = 0.25) -> None:
        self._refresh = refresh
        self._interval = interval
        self._pause = pause
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
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
                await asyncio.sleep(self._pause)
            self._nudged.clear()
            try:
                await asyncio.to_thread(self._refresh)
            except Exception:  # whatever broke is logged, and serving goes on
                log.exception("strategies could not learn from the ledger; routing goes on with what they know")
