"""Work that is done again and again while the gateway runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)


async def every(seconds: float, work: Callable[[], object]) -> None:
    """Do `work` off the event loop, `seconds` after the last time, until cancelled; a failure is logged and the next turn tries again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(work)
        except Exception:  # whatever broke is logged, and the next turn comes
            log.exception("a periodic task failed; it is tried again in %s s", seconds)
