"""Brings what the writer's thread has committed to the event loop: all of one commit with one wake-up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
Listener = Callable[[Future[Any]], None]


class Arrivals:
    """For futures that another thread completes, many at a time, where `asyncio.wrap_future` would wake the loop for each.

    Used by one event loop at a time. Whoever stops waiting changes nothing: as everywhere in a store, a change cannot be taken back.
    """

    def __init__(self) -> None:
        self._arrived: deque[tuple[Future[Any], asyncio.Future[Any], Listener | None]] = deque()
        self._woken: asyncio.AbstractEventLoop | None = None

    def of(self, change: Future[T], *, then: Callable[[Future[T]], None] | None = None) -> asyncio.Future[T]:
        """The same future for the running loop, which also calls `then` with the change, whether or not somebody still waits."""
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        change.add_done_callback(lambda done: self._arrive(done, waiter, then))
        return waiter

    def _arrive(self, change: Future[Any], waiter: asyncio.Future[Any], then: Listener | None) -> None:
        """In the writer's thread. It adds before it looks whether to wake; the loop does both the other way round."""
        self._arrived.append((change, waiter, then))
        loop = waiter.get_loop()
        if self._woken is not loop:
            self._woken = loop
            with suppress(RuntimeError):  # the loop is closed, so nobody waits in it
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = None
        while self._arrived:
            change, waiter, then = self._arrived.popleft()
            loop = waiter.get_loop()
            if loop.is_closed():
                continue
            if then is not None:
                loop.call_soon(then, change)
            if waiter.done():
                continue
            error = change.exception()
            if error is None:
                waiter.set_result(change.result())
            else:
                waiter.set_exception(error)
