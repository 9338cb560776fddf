"""The one thread that writes a ledger, and how it groups changes into commits.

A batch is whatever was waiting, in one transaction; futures are resolved after its commit. A failed commit fails every
future of the batch: nothing is ever acknowledged that was not committed. A change that is itself at fault fails alone.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw

from gateway.errors import GatewayError, LedgerUnavailable
from gateway.store.connection import Connection, Identity, Source

T = TypeVar("T")
Change = Callable[[apsw.Connection], T]
_Waiting = tuple[Change[Any], "Future[Any]"]

QUEUE_SIZE = 10_000
_MOST_IN_BATCH = 500
_OF_VALUES = (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, apsw.BindingsError)


class Writer:
    """A bounded queue of changes and the thread that commits them, started by the first change."""

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], float],
        at_end: Callable[[], None],
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self._source = source
        self._clock = clock
        self._at_end = at_end
        self._queue_size = queue_size
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: Connection | None = None
        self._identity: Identity = None
        self._wal: Identity = None
        self.last_commit: float | None = None

    def submit(self, change: Change[T]) -> Future[T]:
        """Queue a change. Its future cannot be cancelled, so a caller that goes away takes nothing with it."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            with self._lock:
                self._admit()
                self._queue.put((change, future))
        except LedgerUnavailable as error:
            future.set_exception(error)
        return future

    def stop(self) -> None:
        """Let the thread end when the queue is empty, without waiting for it; safe in a finalizer."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
        if thread is None:
            self._at_end()
        else:
            self._queue.put(None)

    def close(self) -> None:
        """Commit what is queued, then close."""
        self.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.last_commit = None

    def _admit(self) -> None:
        if self._closed:
            raise LedgerUnavailable("The ledger is closed.")
        if self._queue.qsize() >= self._queue_size:
            raise LedgerUnavailable(f"The ledger is behind by {self._queue_size} changes; try again soon.")
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=f"ledger {self._source.path.name}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise LedgerUnavailable(f"The ledger's thread cannot be started ({error}).") from error
            self._thread = thread
            # A daemon thread would be cut at interpreter exit; this lets it finish first.
            atexit.register(self.close)

    def _run(self) -> None:
        ending = False
        while not ending:
            batch, ending = self._next_batch()
            if batch:
                self._commit(batch)
        self._disconnect()
        self._at_end()
        atexit.unregister(self.close)

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """What waits now, at least one; True when the end was among it (nothing comes after it)."""
        waiting = self._queue.get()
        batch: list[_Waiting] = []
        while waiting is not None:
            batch.append(waiting)
            if len(batch) == _MOST_IN_BATCH:
                return batch, False
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            results = self._transact([change for change, _ in batch])
        except Exception as error:
            if _is_of_the_file(error):
                self._refuse(batch, error)
            else:
                self._isolate(batch, error)
        else:
            self.last_commit = self._clock()
            for (_, future), result in zip(batch, results, strict=True):
                if isinstance(result, GatewayError):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _isolate(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """A change is at fault: commit each alone, so that only that one fails."""
        if len(batch) == 1:
            batch[0][1].set_exception(error)
            return
        for waiting in batch:
            self._commit([waiting])

    def _refuse(self, batch: Sequence[_Waiting], error: Exception) -> None:
        self.last_commit = None
        self._disconnect()
        refusal = error if isinstance(error, LedgerUnavailable) else self._source.unavailable(error)
        for _, future in batch:
            future.set_exception(refusal)

    def _transact(self, changes: Sequence[Change[Any]]) -> list[Any]:
        """One transaction. A file that was deleted or replaced meanwhile took the commit with it: do it again in the new one."""
        while True:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                results = [_result(change, connection) for change in changes]
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if self._source.identity() == self._identity:
                return results
            self._disconnect()
            self._source.drop_wal(self._wal)

    def _connect(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = self._source.open()
            self._identity, self._wal = self._source.identity(), self._source.wal()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def _is_of_the_file(error: Exception) -> bool:
    """Whether the file or its disk failed; the other errors are those of a change's values."""
    return isinstance(error, apsw.Error | OSError | LedgerUnavailable) and not isinstance(error, _OF_VALUES)


def _result(change: Change[Any], connection: apsw.Connection) -> Any:
    """What a change answers; a refusal (unknown, repeated) is an answer too and was decided before anything was written."""
    try:
        return change(connection)
    except LedgerUnavailable:
        raise
    except GatewayError as refusal:
        return refusal
