"""Admission of requests: how many are served at once and wait for it, and how many start in one iteration of the event loop."""

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
    """At most `in_flight` requests at once and `queue` waiting, first come, first served.

    `wait` is the most seconds in the queue; `call_later` defaults to the event loop's.
    """

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
        """Raises Overloaded when the queue is full too: then a request's body need not be read."""
        if self.in_flight >= self._limit and len(self._waiters) >= self._queue:
            raise self._overloaded()

    async def __aenter__(self) -> None:
        """Takes a slot until the end of the block. Raises Overloaded at once when the queue is full, or after `wait` seconds in it."""
        self.check_capacity()
        if self.in_flight < self._limit:
            self.in_flight += 1
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        timer = (self._call_later or loop.call_later)(self._wait, lambda: self._give_up(waiter))
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._drop(waiter)
            elif waiter.exception() is None:
                self._leave()  # the slot came together with the cancellation
            raise
        finally:
            timer.cancel()

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _give_up(self, waiter: asyncio.Future[None]) -> None:
        self._drop(waiter)
        if not waiter.done():
            waiter.set_exception(self._overloaded())

    def _drop(self, waiter: asyncio.Future[None]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def _leave(self) -> None:
        """Pass the slot to the request that has waited longest, or free it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.in_flight -= 1

    def _overloaded(self) -> Overloaded:
        self.refused += 1
        return Overloaded("The gateway serves as many requests as it can; try again soon.", retry_after=1.0)


class StartPacer:
    """Starts at most one request per event-loop iteration, first come, first served.

    Without it a burst advances in lockstep: all its requests do their first step, then all their second, and the first token of
    each waits for the whole burst.
    """

    def __init__(self) -> None:
        self._started = False  # in this iteration
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Returns at once in an iteration in which nothing has started, else in a later one."""
        loop = asyncio.get_running_loop()
        if not self._started:
            self._started = True
            loop.call_soon(self._next_iteration, loop)
            return
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _next_iteration(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                loop.call_soon(self._next_iteration, loop)
                return
        self._started = False
