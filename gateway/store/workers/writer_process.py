"""The process that commits for all workers: what arrives together from them is one transaction, and is answered after its commit.

It has one thread, one connection to each worker, and one batch of each worker at a time, so nothing in it grows with the load.
"""

from __future__ import annotations

import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store.batch import apply_rows
from gateway.store.connection import DatabaseFile
from gateway.store.file_session import FileSession
from gateway.store.mutations import InsertOutcome, InsertResponse
from gateway.store.process_lease import ProcessLease
from gateway.store.rows import InsertRow, SettleRow, Step
from gateway.store.workers import messages, written_batches
from gateway.store.workers.messages import AGAIN_IN_FULL, Batch, MessageConnection
from gateway.store.workers.operations import apply_one
from gateway.store.workers.written_batches import WrittenBatch
from gateway.store.writer import Operation

log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
# Under load more rows share a commit, which takes an eighth of the CPU time off a request; without load nothing waits.
PAUSE_SECONDS = 0.001
# A worker reads each answer at once, unless it was stopped.
_SEND_SECONDS = 5.0
# Operations that may be in one batch with those of other workers.
_TOGETHER = (InsertRow, SettleRow, InsertOutcome, InsertResponse)


class WorkerConnection:
    """A connected worker. `name` is the owner of its rows, empty until it has said so; `newest` is its newest batch."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_SEND_SECONDS)
        self.messages = MessageConnection(connection)
        self.name = ""
        self.newest = WrittenBatch()

    def acquire(self) -> str:
        """The owner of its rows. The worker holds the lock since before it connected."""
        return self.name


Received = tuple[WorkerConnection, Batch]


class WriterProcess:
    """Writes the ledger `source` for the workers that connect to `listening`. `needed` says whether others may still come.

    Two commits begin at least `PAUSE_SECONDS` after each other. `clock` is monotonic seconds.
    """

    def __init__(
        self,
        source: DatabaseFile,
        listening: socket.socket,
        *,
        needed: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = FileSession(source)
        self._lease = ProcessLease(source.path)
        self._listening = listening
        self._needed = needed
        self._clock = clock
        self._sleep = sleep
        self._next_commit = 0.0
        self._workers: set[WorkerConnection] = set()
        self._waker, self._wakes = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(self._wakes, selectors.EVENT_READ)
        self._stopping = False

    def stop(self) -> None:
        """Return from `run` after the commit that is running. Safe in a signal handler."""
        self._stopping = True
        self._waker.send(b"\0")

    def run(self) -> None:
        """Serve until `stop`, or until no worker is left and none is needed."""
        try:
            while not self._stopping and (self._workers or self._needed()):
                ready = self._selector.select(_TICK_SECONDS)
                if ready and (wait := self._next_commit - self._clock()) > 0:
                    self._sleep(wait)
                    ready = self._selector.select(0)
                self._serve(ready)
        finally:
            self._session.disconnect()
            for worker in tuple(self._workers):
                self._drop(worker)
            self._selector.close()
            self._waker.close()
            self._wakes.close()

    def _serve(self, ready: Sequence[tuple[selectors.SelectorKey, int]]) -> None:
        """Receive what has arrived, and write it together."""
        said: list[tuple[WorkerConnection, bytes]] = []
        for key, _ in ready:
            if key.fileobj is self._listening:
                self._accept()
            elif isinstance(worker := key.data, WorkerConnection) and (message := self._receive(worker)) is not None:
                said.append((worker, message))
        received: list[Received] = []
        for worker, message in sorted(said, key=lambda each: bool(each[0].name)):  # those who come in first
            try:
                if not worker.name:
                    self._welcome(worker, message)
                elif worker in self._workers:
                    received.append((worker, messages.decode_batch(message, after=worker.newest.number - 1)))
            except (LookupError, TypeError, ValueError) as error:
                log.error("a worker sent what is no batch of changes: %s", error)
                self._drop(worker)
        self._write(received)

    def _accept(self) -> None:
        worker = WorkerConnection(self._listening.accept()[0])
        self._workers.add(worker)
        self._selector.register(worker.messages.socket, selectors.EVENT_READ, worker)

    def _receive(self, worker: WorkerConnection) -> bytes | None:
        try:
            return worker.messages.receive_part()
        except OSError:
            self._drop(worker)
            return None

    def _drop(self, worker: WorkerConnection) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.messages.socket)
        worker.messages.close()

    def _welcome(self, worker: WorkerConnection, message: bytes) -> None:
        """Tell a worker the number of its newest batch. What it sent on an earlier connection is not read any more."""
        name = messages.decode_hello(message)
        for earlier in [each for each in self._workers if each.name == name]:
            self._drop(earlier)
        try:
            worker.newest = self._session.transact(partial(written_batches.newest, worker=name))
        except (apsw.Error, OSError, LedgerUnavailable) as error:
            self._send(worker, self._failure(error))
        else:
            worker.name = name
            self._send(worker, messages.encode_newest(worker.newest.number))

    def _write(self, received: Sequence[Received]) -> None:
        new: list[Received] = []
        for worker, batch in received:
            if batch.number == worker.newest.number:
                self._send(worker, worker.newest.answer)
            else:
                new.append((worker, batch))
        if new:
            self._next_commit = self._clock() + PAUSE_SECONDS
            self._commit(new)

    def _commit(self, received: Sequence[Received]) -> None:
        """Commit the batches together; if that fails because of a step, each by itself, so that one fails no others."""
        try:
            answers = self._session.transact(partial(self._apply, received=received))
        except Exception as error:
            if self._session.concerns_database(error):
                failure = self._failure(error)
                for worker, _ in received:
                    self._send(worker, failure)
            elif len(received) > 1:
                for each in received:
                    self._commit([each])
            else:
                self._send(received[0][0], AGAIN_IN_FULL)
        else:
            for (worker, batch), answer in zip(received, answers, strict=True):
                worker.newest = WrittenBatch(batch.number, answer)
                self._send(worker, answer)

    def _apply(self, connection: apsw.Connection, received: Sequence[Received]) -> list[bytes]:
        """The answers, each stored beside what it answers."""
        first, batch = received[0]
        if len(received) == 1 and (alone := batch.operations) is not None:
            results = self._apply_each(connection, alone, first)
        else:
            steps = [_together(step, worker, self._lease) for worker, batch in received for step in batch.steps]
            results = apply_rows(connection, steps, owner=self._lease)
        remaining, answers = iter(results), list[bytes]()
        for worker, batch in received:
            answers.append(messages.encode_results([*islice(remaining, len(batch.steps))]))
            written_batches.record(connection, worker.name, WrittenBatch(batch.number, answers[-1]))
        return answers

    def _apply_each(
        self, connection: apsw.Connection, alone: Sequence[Operation], worker: WorkerConnection
    ) -> list[Any]:
        """Results and errors; an operation that fails changes nothing."""
        results: list[Any] = []
        for operation in alone:
            try:
                with connection:
                    results.append(apply_one(connection, operation, owner=worker, lease=self._lease))
            except Exception as error:
                if self._session.concerns_database(error):
                    raise
                results.append(error)
        return results

    def _failure(self, error: Exception) -> bytes:
        self._session.disconnect()
        return messages.encode_failure(
            error if isinstance(error, LedgerUnavailable) else self._session.unavailable(error)
        )

    def _send(self, worker: WorkerConnection, message: bytes) -> None:
        try:
            worker.messages.send(message)
        except OSError:
            self._drop(worker)


def _together(step: Step, worker: WorkerConnection, lease: ProcessLease) -> Step:
    """A step that can be applied among those of other workers."""
    if isinstance(step, _TOGETHER):
        return step
    return partial(apply_one, operation=step, owner=worker, lease=lease)
