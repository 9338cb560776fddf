"""Cancels the work on a request when its client leaves, or when the gateway stops.

The path of a disconnect from the socket to the ledger, which is not visible as calls:

    ServerConnection.connection_lost -> DirectRequest.connection_lost -> CancelOnDisconnect.interrupt -> task.cancel()
    -> CancelledError where the task waits -> RequestTransaction.abandon (the row is settled as cancelled)
    -> CancelOnDisconnect.__exit__ -> uncancel, and ClientDisconnected in place of the CancelledError

The rules are those of `asyncio.timeout`: the cancellation is taken back with `uncancel` and becomes an exception of this
module, unless the task was also cancelled from elsewhere. Without this, the gateway would keep paying for an answer that
nobody reads: bytes for a client that has left are dropped without an error.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.api.body import ClientDisconnected
from gateway.api.client import RawRequest
from gateway.api.lifecycle import Lifecycle
from gateway.errors import GatewayError


class HasFinishing(Protocol):
    """A response; `finishing` once its last bytes are being sent, when a cancellation would save nothing."""

    @property
    def finishing(self) -> bool: ...


class CancelOnDisconnect:
    """Context manager around the work on one request: raises ClientDisconnected, or the reason of the interruption."""

    __slots__ = ("_answer", "_cancelling", "_client", "_lifecycle", "_reason", "_task")

    def __init__(self, client: RawRequest, answer: HasFinishing, *, lifecycle: Lifecycle) -> None:
        self._client = client
        self._answer = answer
        self._lifecycle = lifecycle
        self._reason: GatewayError | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is served inside a task")
        self._lifecycle.start(self)
        self._task = task
        self._cancelling = task.cancelling()
        self._client.on_disconnect(self._on_disconnect)

    def _on_disconnect(self) -> None:
        self.interrupt(ClientDisconnected("The client left."))

    def interrupt(self, reason: GatewayError) -> None:
        """Cancel the task; called from another task or a callback, so the task is waiting and the cancellation reaches it there."""
        if self._reason is None and not self._answer.finishing:
            self._reason = reason
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._client.off_disconnect()
        self._lifecycle.closed(self)
        if self._reason is not None and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._reason from None
