"""A worker's connection to the writer process: sends batches, and sends one again when the process died before it answered.

A batch has a number, so the writer process applies it once however often it comes. When the process does not answer for
`WAIT_SECONDS`, nobody knows whether the batch was committed: the callers get an error, and the rows that it inserted are withdrawn
before the next batch, because nothing was sent upstream for them.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gateway.errors import LedgerUnavailable
from gateway.store import encoding
from gateway.store.mutations import InsertRequest
from gateway.store.process_lease import ProcessLease
from gateway.store.rows import encode_rows
from gateway.store.workers import messages
from gateway.store.workers.messages import AGAIN_IN_FULL, MessageConnection, encode_step
from gateway.store.workers.operations import RemoveRequests
from gateway.store.writer import Operation

T = TypeVar("T")

# The writer process is replaced within a second, or two if it lived shorter than one.
WAIT_SECONDS = 10.0
# While the writer process is away for longer, each batch fails after this time.
RETRY_SECONDS = 1.0
_PAUSE_SECONDS = 0.05
# A batch ends with the step that makes it longer than this; one step may be as large as a kept response.
_BATCH_BYTES = 4_000_000


class _UncertainBatch(NamedTuple):
    """A batch that may have been committed although its callers were told that it failed, and the rows it inserts."""

    number: int
    request_ids: Sequence[str]


class WorkerSession:
    """`gateway.store.writer.WriteSession` whose transactions another process commits. `clock` is monotonic seconds."""

    def __init__(
        self,
        path: Path,
        owner: ProcessLease,
        *,
        name: str,
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._owner = owner
        self._name = name
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._sleep = sleep
        self._connection: MessageConnection | None = None
        self._number = 0
        self._uncertain: _UncertainBatch | None = None
        self._away_since: float | None = None

    @property
    def name(self) -> str:
        return self._name

    def transact(self, apply: Callable[[WorkerSession], T]) -> T:
        return apply(self)

    def concerns_database(self, error: Exception) -> bool:
        """Any other error is of an operation that cannot be encoded, and was raised before anything was sent."""
        return isinstance(error, OSError | LedgerUnavailable)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"The process that writes the ledger {self._name} does not answer ({error}): it is started again by itself; "
            "the log says why it ended."
        )

    def disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def write(self, operations: Sequence[Operation]) -> list[Any]:
        """The results, in the order of the operations. Raises LedgerUnavailable when none was committed."""
        encoded = [encode_step(step) for step in encode_rows(operations, owner=self._owner)]
        results: list[Any] = []
        for part in _parts(operations, encoded):
            try:
                results += self._write(*part)
            except LedgerUnavailable as error:
                if not results:
                    raise
                self.disconnect()
                return results + [error] * (len(operations) - len(results))
        return results

    def _write(self, operations: Sequence[Operation], encoded: Sequence[bytes]) -> list[Any]:
        answer = self._exchange(operations, encoded)
        if answer == AGAIN_IN_FULL:
            answer = self._exchange(operations, [*map(encode_step, operations)])
        return messages.decode_results(answer)

    def _exchange(self, operations: Sequence[Operation], encoded: Sequence[bytes]) -> bytes:
        """Send a batch until it is answered. Raises LedgerUnavailable when the writer process was away for too long."""
        number: int | None = None
        deadline = self._deadline()
        while True:
            try:
                connection = self._connected(deadline)
                if number is None:
                    number = self._number = self._number + 1
                answer = self._ask(connection, messages.encode_batch(number, encoded), deadline)
            except (OSError, LedgerUnavailable) as error:
                self.disconnect()
                known = error if isinstance(error, LedgerUnavailable) else self.unavailable(error)
                if number is None and known is error:
                    raise
                if self._away_since is None:
                    self._away_since = self._clock()
                if self._clock() >= deadline:
                    if number is not None:
                        self._uncertain = _UncertainBatch(number, _inserted(operations))
                    raise known from error
                self._sleep(_PAUSE_SECONDS)
            else:
                self._away_since = None
                return answer

    def _deadline(self) -> float:
        now = self._clock()
        if self._away_since is None:
            return now + self._wait_seconds
        return max(now + min(RETRY_SECONDS, self._wait_seconds), self._away_since + self._wait_seconds)

    def _connected(self, deadline: float) -> MessageConnection:
        """Connect, and withdraw what was inserted although its callers were told otherwise. Raises LedgerUnavailable, OSError."""
        if self._connection is not None:
            return self._connection
        connection = self._connection = MessageConnection(socket.socket(socket.AF_UNIX))
        connection.socket.settimeout(max(_PAUSE_SECONDS, deadline - self._clock()))
        connection.socket.connect(os.fspath(self._path))
        newest = messages.decode_newest(self._ask(connection, messages.encode_hello(self._owner.acquire()), deadline))
        if self._uncertain is not None and self._uncertain.number <= newest:
            self._number += 1
            withdrawal = encode_step(RemoveRequests(self._owner.id, self._uncertain.request_ids))
            messages.decode_results(self._ask(connection, messages.encode_batch(self._number, [withdrawal]), deadline))
        self._uncertain = None
        return connection

    def _ask(self, connection: MessageConnection, message: bytes, deadline: float) -> bytes:
        connection.socket.settimeout(max(_PAUSE_SECONDS, deadline - self._clock()))
        connection.send(message)
        return connection.receive()


def _parts(
    operations: Sequence[Operation], encoded: Sequence[bytes]
) -> Iterator[tuple[Sequence[Operation], Sequence[bytes]]]:
    """The operations and their encoded steps, in batches of bounded bytes."""
    first, length = 0, 0
    for place, step in enumerate(encoded, start=1):
        length += len(step)
        if length > _BATCH_BYTES or place == len(encoded):
            yield operations[first:place], encoded[first:place]
            first, length = place, 0


def _inserted(operations: Sequence[Operation]) -> list[str]:
    inserts = (operation for operation in operations if isinstance(operation, InsertRequest))
    return [encoding.text(insert.record.request_id) for insert in inserts]
