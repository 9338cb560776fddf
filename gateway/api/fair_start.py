"""Lets one request begin in each turn of the event loop, so that in a rush those that have begun go on in between.

Else all of a rush would do its first step, then all of it the second, and the first token of the first would come with that of the
last; and what began together would end together, to begin together again.
"""

from __future__ import annotations

import asyncio
from collections import deque


class StartPacer:
    """First come, first served. Without a rush nobody waits."""

    def __init__(self) -> None:
        self._passed = False
        self._held: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Returns in this turn or in one of the next."""
        loop = asyncio.get_running_loop()
        if not self._passed:
            self._passed = True
            loop.call_soon(self._turn, loop)
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._held.append(turn)
        await turn

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """The next turn of the loop: the next one may begin."""
        while self._held:
            turn = self._held.popleft()
            if not turn.done():
                turn.set_result(None)
                loop.call_soon(self._turn, loop)
                return
        self._passed = False
