"""Lets a few requests begin in each turn of the event loop, so that in a rush everything else goes on in between."""

from __future__ import annotations

import asyncio
from collections import deque

STARTS = 8  # requests that begin in one turn; each takes a millisecond or two of it


class Turnstile:
    """First come, first served. Without a rush nobody waits."""

    def __init__(self, starts: int = STARTS) -> None:
        self._starts = starts
        self._begun = 0
        self._held: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Returns in this turn or in one of the next."""
        loop = asyncio.get_running_loop()
        if self._begun == 0 and not self._held:
            loop.call_soon(self._turn)
        if self._begun < self._starts:
            self._begun += 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._held.append(turn)
        await turn

    def _turn(self) -> None:
        """The next turn of the loop: the next few may begin."""
        self._begun = 0
        while self._held and self._begun < self._starts:
            turn = self._held.popleft()
            if not turn.done():
                turn.set_result(None)
                self._begun += 1
        if self._begun:
            asyncio.get_running_loop().call_soon(self._turn)
