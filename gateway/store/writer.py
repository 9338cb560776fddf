"""The one thread that writes a ledger, and how it groups changes into commits.

A batch is whatever was waiting, in one transaction; futures are resolved after its commit. A failed commit fails every
future of the batch: nothing is ever acknowledged that was not committed. A change that is itself at fault fails alone.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store import CommitCallback
from gateway.store.batch import Mutation
from gateway.store.connection import DatabaseFile, FileId, SqliteConnection
from gateway.store.notifications import LoopWaiter, resolve

T = TypeVar("T")
Receiver = Future[Any] | LoopWaiter
_Waiting = tuple[Mutation, Receiver]

QUEUE_SIZE = 10_000
_MOST_IN_BATCH = 500
_OF_VALUES = (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, apsw.BindingsError)


class Writer:
    """A bounded queue of changes and the thread that commits them, started by the first change."""

    def __init__(
        self,
        source: DatabaseFile,
        *,
        together: Callable[[apsw.Connection, Sequence[Mutation]], list[Any]],
        alone: Callable[[apsw.Connection, Mutation], Any],
        clock: Callable[[], float],
        at_end: Callable[[], None],
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self._source = source
        self._together = together
        self._alone = alone
        self._clock = clock
        self._at_end = at_end
        self._queue_size = queue_size
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: SqliteConnection | None = None
        self._identity: FileId = None
        self._wal: FileId = None
        self.last_commit: float | None = None

    def submit(self, change: Mutation) -> Future[Any]:
        """Queue a change. Its future cannot be cancelled, so a caller that goes away takes nothing with it."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._put(change, future)
        return future

    def write(self, change: Mutation, *, then: CommitCallback | None = None) -> asyncio.Future[Any]:
        """Queue a change for the running event loop; who stops waiting for it takes nothing back either."""
        waiting = asyncio.get_running_loop().create_future()
        self._put(change, LoopWaiter(waiting, then))
        return waiting

    def _put(self, change: Mutation, receiver: Receiver) -> None:
        try:
            with self._lock:
                self._admit()
                self._queue.put((change, receiver))
        except LedgerUnavailable as error:
            resolve([(receiver, error)])

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
        changes = [change for change, _ in batch]
        try:
            answers = self._transact(lambda connection: self._together(connection, changes))
        except Exception as error:
            if _is_of_the_file(error):
                self._refuse(batch, error)
            else:
                for waiting in batch:
                    self._commit_alone(waiting)
        else:
            self._tell(batch, answers)

    def _commit_alone(self, waiting: _Waiting) -> None:
        """So that a change that is at fault is the only one that fails."""
        change, receiver = waiting
        try:
            answer = self._transact(lambda connection: self._alone(connection, change))
        except Exception as error:
            if _is_of_the_file(error):
                self._refuse([waiting], error)
            else:
                resolve([(receiver, error)])
        else:
            self._tell([waiting], [answer])

    def _tell(self, batch: Sequence[_Waiting], answers: Sequence[Any]) -> None:
        self.last_commit = self._clock()
        resolve([(receiver, answer) for (_, receiver), answer in zip(batch, answers, strict=True)])

    def _refuse(self, batch: Sequence[_Waiting], error: Exception) -> None:
        self.last_commit = None
        self._disconnect()
        refusal = error if isinstance(error, LedgerUnavailable) else self._source.unavailable(error)
        resolve([(receiver, refusal) for _, receiver in batch])

    def _transact(self, work: Callable[[apsw.Connection], T]) -> T:
        """One transaction. A file that was deleted or replaced meanwhile took the commit with it: do it again in the new one."""
        while True:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                answer = work(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if self._source.identity() == self._identity:
                return answer
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
