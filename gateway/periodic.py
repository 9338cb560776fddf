"""Work that is done again and again while the gateway runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


async def every(seconds: float, work: Callable[[], object]) -> None:
    """Do `work` off the event loop, `seconds` after the last time, until cancelled.

    A failure is logged and the next turn tries again; while it goes on failing nothing more is logged.
    """
    failing = False
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(work)
        except Exception:  # whatever broke is logged, and the next turn comes
            if not failing:
                log.exception("a periodic task failed; it is tried again every %s s", seconds)
            failing = True
        else:
            failing = False
