"""The thread that writes a ledger: it groups operations into commits and completes their futures.

A batch is whatever is queued, in one transaction. Futures complete after the commit, and a failed commit fails all futures of the
batch: nothing is acknowledged that was not committed. An operation that cannot be written fails alone.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from gateway.errors import LedgerUnavailable
from gateway.store.mutations import CommitCallback, Mutation

T = TypeVar("T")
ConnectionT = TypeVar("ConnectionT")
ConnectionT_co = TypeVar("ConnectionT_co", covariant=True)

# A mutation, or work that only one kind of store does (recovery, probe), as a function of the connection.
Operation = Mutation[Any] | Callable[[Any], Any]


class WriteSession(Protocol[ConnectionT_co]):
    """The connection of a writer to its database. Only the writer's thread uses it."""

    @property
    def name(self) -> str:
        """What the operator calls the database, without a password."""

    def transact(self, apply: Callable[[ConnectionT_co], T]) -> T:
        """Run `apply` in one transaction and commit it; connects when there is no connection."""

    def concerns_database(self, error: Exception) -> bool:
        """Whether the database failed, not the values of one operation."""

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        """The error for the operator: what failed and what to do."""

    def disconnect(self) -> None:
        """Close the connection. Idempotent."""


class LoopWaiter(NamedTuple):
    """An asyncio future, and an optional callback that runs even if the future was cancelled."""

    future: asyncio.Future[Any]
    then: CommitCallback | None


Receiver = Future[Any] | LoopWaiter
_Queued = tuple[Operation, Receiver]

QUEUE_SIZE = 10_000
_MAX_BATCH = 500


class Writer(Generic[ConnectionT]):
    """A bounded queue of operations and the thread that commits them. The first operation starts the thread.

    `apply_batch` and `apply_one` run inside a transaction. `clock` is monotonic seconds. `on_close` runs once, after the last commit.
    """

    def __init__(
        self,
        session: WriteSession[ConnectionT],
        *,
        apply_batch: Callable[[ConnectionT, Sequence[Operation]], list[Any]],
        apply_one: Callable[[ConnectionT, Operation], Any],
        clock: Callable[[], float],
        on_close: Callable[[], None],
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self._session = session
        self._apply_batch = apply_batch
        self._apply_one = apply_one
        self._clock = clock
        self._on_close = on_close
        self._queue_size = queue_size
        self._queue: SimpleQueue[_Queued | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.last_commit: float | None = None

    def submit(self, operation: Operation) -> Future[Any]:
        """Queue an operation from any thread. Its future cannot be cancelled: a queued write is never undone."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._enqueue(operation, future)
        return future

    def write(self, operation: Operation, *, then: CommitCallback | None = None) -> asyncio.Future[Any]:
        """Queue an operation from the running event loop. Cancelling the future does not undo the write."""
        future = asyncio.get_running_loop().create_future()
        self._enqueue(operation, LoopWaiter(future, then))
        return future

    def stop(self) -> None:
        """Let the thread end once the queue is empty, without waiting for it. Safe in a finalizer."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
        if thread is None:
            self._on_close()
        else:
            self._queue.put(None)

    def close(self) -> None:
        """Commit what is queued, then close."""
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.last_commit = None

    def _enqueue(self, operation: Operation, receiver: Receiver) -> None:
        try:
            with self._lock:
                self._admit()
                self._queue.put((operation, receiver))
        except LedgerUnavailable as error:
            resolve([(receiver, error)])

    def _admit(self) -> None:
        if self._closed:
            raise LedgerUnavailable("The ledger is closed.")
        if self._queue.qsize() >= self._queue_size:
            raise LedgerUnavailable(f"The ledger is behind by {self._queue_size} changes; try again soon.")
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=f"ledger {self._session.name}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise LedgerUnavailable(f"The ledger's thread cannot be started ({error}).") from error
            self._thread = thread
            # The interpreter kills daemon threads at exit; this lets the queue drain first.
            atexit.register(self.close)

    def _run(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._next_batch()
            if batch:
                self._commit(batch)
        self._session.disconnect()
        self._on_close()
        atexit.unregister(self.close)

    def _next_batch(self) -> tuple[list[_Queued], bool]:
        """Wait for an operation and take all that is queued; True after the closing marker, which is always the last item."""
        queued = self._queue.get()
        batch: list[_Queued] = []
        while queued is not None:
            batch.append(queued)
            if len(batch) == _MAX_BATCH:
                return batch, False
            try:
                queued = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: Sequence[_Queued]) -> None:
        operations = [operation for operation, _ in batch]
        try:
            results = self._session.transact(lambda connection: self._apply_batch(connection, operations))
        except Exception as error:
            if self._session.concerns_database(error):
                self._fail(batch, error)
            else:
                for queued in batch:
                    self._commit_one(queued)
        else:
            self._complete(batch, results)

    def _commit_one(self, queued: _Queued) -> None:
        """Commit one operation by itself, so that one that cannot be written does not fail the others."""
        operation, receiver = queued
        try:
            result = self._session.transact(lambda connection: self._apply_one(connection, operation))
        except Exception as error:
            if self._session.concerns_database(error):
                self._fail([queued], error)
            else:
                resolve([(receiver, error)])
        else:
            self._complete([queued], [result])

    def _complete(self, batch: Sequence[_Queued], results: Sequence[Any]) -> None:
        self.last_commit = self._clock()
        resolve([(receiver, result) for (_, receiver), result in zip(batch, results, strict=True)])

    def _fail(self, batch: Sequence[_Queued], error: Exception) -> None:
        self.last_commit = None
        self._session.disconnect()
        failure = error if isinstance(error, LedgerUnavailable) else self._session.unavailable(error)
        resolve([(receiver, failure) for _, receiver in batch])


def resolve(results: Iterable[tuple[Receiver, Any]]) -> None:
    """Complete futures from any thread; an exception as result is raised in the waiter. Each event loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[LoopWaiter, Any]]] = {}
    for receiver, result in results:
        if isinstance(receiver, LoopWaiter):
            by_loop.setdefault(receiver.future.get_loop(), []).append((receiver, result))
        elif isinstance(result, Exception):
            receiver.set_exception(result)
        else:
            receiver.set_result(result)
    for loop, waiters in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, so nothing waits in it
            loop.call_soon_threadsafe(_resolve_in_loop, loop, waiters)


def _resolve_in_loop(loop: asyncio.AbstractEventLoop, waiters: Sequence[tuple[LoopWaiter, Any]]) -> None:
    for (future, then), result in waiters:
        error = result if isinstance(result, Exception) else None
        if then is not None:
            loop.call_soon(then, error)
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
