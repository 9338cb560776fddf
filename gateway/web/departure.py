"""Ends the work on a request when its client leaves, or when the gateway does.

Starlette does not cancel a plain handler whose client is gone, and a server's `send` is silent about it. So a second task
listens for the disconnect and cancels the first. The rules of such a cancellation are those of `asyncio.timeout`: it is
remembered who asked for it, taken back with `uncancel`, and becomes an exception of our own, unless somebody else wants the
task cancelled too.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.types import Receive

from gateway.errors import GatewayError
from gateway.web.body import ClientGone
from gateway.web.lifecycle import Lifecycle


class Given(Protocol):
    """What a client is given; `last` from the moment the last of it is being sent, when there is nothing to be saved any more."""

    @property
    def last(self) -> bool: ...


class Departure:
    """Around the work on one request: raises ClientGone, or why it was interrupted, as soon as that is so."""

    __slots__ = ("_answer", "_cancelling", "_lifecycle", "_receive", "_task", "_watcher", "_why")

    def __init__(self, receive: Receive, answer: Given, *, lifecycle: Lifecycle) -> None:
        self._receive = receive
        self._answer = answer
        self._lifecycle = lifecycle
        self._why: GatewayError | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is served inside a task")
        self._lifecycle.opened(self)
        self._task = task
        self._cancelling = task.cancelling()
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self.interrupt(ClientGone("The client left."))

    def interrupt(self, why: GatewayError) -> None:
        """Called from other tasks, so the one that works is waiting for something: the cancellation reaches it there."""
        if self._why is None and not self._answer.last:
            self._why = why
            self._task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._watcher.cancel()
        self._lifecycle.closed(self)
        if self._why is not None and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._why from None
