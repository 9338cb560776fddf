"""How many requests are served at once: a number of places, a short line in front of them, and a bounded wait in it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.errors import Overloaded


class Timer(Protocol):
    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


class ConcurrencyLimiter:
    """First come, first served. `wait` is the most seconds in the line; `call_later` is the event loop's unless given."""

    def __init__(self, *, in_flight: int, queue: int, wait: float, call_later: CallLater | None = None) -> None:
        self._limit = in_flight
        self._queue = queue
        self._wait = wait
        self._call_later = call_later
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def check_capacity(self) -> None:
        """Raises Overloaded when even the line has no room: then a request's body need not be read."""
        if self.in_flight >= self._limit and len(self._waiters) >= self._queue:
            raise self._overloaded()

    async def __aenter__(self) -> None:
        """Takes a place, which is held to the end of the block. Raises Overloaded at once when the line is full, or when no place came free in time."""
        self.check_capacity()
        if self.in_flight < self._limit:
            self.in_flight += 1
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiters.append(turn)
        timer = (self._call_later or loop.call_later)(self._wait, lambda: self._give_up(turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._drop(turn)
            elif turn.exception() is None:
                self._leave()  # the place came together with the cancellation
            raise
        finally:
            timer.cancel()

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        self._drop(turn)
        if not turn.done():
            turn.set_exception(self._overloaded())

    def _drop(self, turn: asyncio.Future[None]) -> None:
        if turn in self._waiters:
            self._waiters.remove(turn)

    def _leave(self) -> None:
        """The place goes to whoever waits longest, or stays free."""
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.in_flight -= 1

    def _overloaded(self) -> Overloaded:
        self.refused += 1
        return Overloaded("The gateway serves as many requests as it can; try again soon.", retry_after=1.0)
