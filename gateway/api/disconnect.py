"""Ends the work on a request when its client leaves, or when the gateway does.

What is sent to a client that is gone is dropped without a word, so whoever serves one has to be told, and its task cancelled.
The rules of such a cancellation are those of `asyncio.timeout`: it is remembered who asked for it, taken back with `uncancel`,
and becomes an exception of our own, unless somebody else wants the task cancelled too.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.api.body import ClientDisconnected
from gateway.api.client import RawRequest
from gateway.api.lifecycle import Lifecycle
from gateway.errors import GatewayError


class HasFinishing(Protocol):
    """What a client is given; `last` from the moment the last of it is being sent, when there is nothing to be saved any more."""

    @property
    def finishing(self) -> bool: ...


class CancelOnDisconnect:
    """Around the work on one request: raises ClientGone, or why it was interrupted, as soon as that is so."""

    __slots__ = ("_answer", "_cancelling", "_client", "_lifecycle", "_task", "_why")

    def __init__(self, client: RawRequest, answer: HasFinishing, *, lifecycle: Lifecycle) -> None:
        self._client = client
        self._answer = answer
        self._lifecycle = lifecycle
        self._why: GatewayError | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is served inside a task")
        self._lifecycle.start(self)
        self._task = task
        self._cancelling = task.cancelling()
        self._client.on_disconnect(self._left)

    def _left(self) -> None:
        self.interrupt(ClientDisconnected("The client left."))

    def interrupt(self, why: GatewayError) -> None:
        """Called from elsewhere, so the task that works is waiting for something: the cancellation reaches it there."""
        if self._why is None and not self._answer.finishing:
            self._why = why
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._client.off_disconnect()
        self._lifecycle.closed(self)
        if self._why is not None and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._why from None
