"""What a worker and the writer process say to each other over a Unix socket: JSON, each message after its length in four bytes.

A worker says its name, and is told the number of its newest batch. Then it sends numbered batches, one at a time, and each is
answered after its commit: with the results; with the failure of the whole batch; or with the wish to have it again in full. Rows
of a batch that is not in full can only be written with others, which is fast; few cannot be written like that.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.errors import LedgerUnavailable
from gateway.store.mutations import Mutation
from gateway.store.rows import InsertRow, SettleRow, Step
from gateway.store.workers.json_values import dumps, from_json, loads, to_json
from gateway.store.writer import Operation

_LENGTH = 4
# Larger than any batch: the bytes that clients may send at once are bounded, and a batch ends after some megabytes.
MAX_BYTES = 2**30
_RECEIVE_BYTES = 2**18


class Batch(NamedTuple):
    """A worker's `number`-th batch, counted from 1."""

    number: int
    steps: Sequence[Step]

    @property
    def operations(self) -> Sequence[Operation] | None:
        """The steps, if each can be written on its own."""
        operations = [step for step in self.steps if not isinstance(step, InsertRow | SettleRow)]
        return operations if len(operations) == len(self.steps) else None


def encode_step(step: Step) -> bytes:
    """One step of a batch as JSON."""
    match step:
        case InsertRow(values, holds):
            return dumps(["insert", values, [to_json(hold) for hold in holds]])
        case SettleRow():
            return dumps(["settle", *step])
        case Mutation():
            return dumps(["mutation", to_json(step)])
        case _:
            raise TypeError(f"Only mutations can be sent to the writer process, not {step!r}")


def _decode_step(step: Sequence[Any]) -> Step:
    match step:
        case ["insert", values, holds]:
            return InsertRow(values, [from_json(hold) for hold in holds])
        case ["settle", values, attempts, outcomes]:
            return SettleRow(values, attempts, outcomes)
        case ["mutation", mutation]:
            decoded: Mutation[Any] = from_json(mutation)
            return decoded
        case _:
            raise ValueError("neither a row nor a mutation")


def encode_batch(number: int, steps: Sequence[bytes]) -> bytes:
    return b"[%d,[%s]]" % (number, b",".join(steps))


def decode_batch(message: bytes, *, after: int) -> Batch:
    """Raises ValueError, TypeError or LookupError for anything but a batch with a number above `after`."""
    number, steps = loads(message)
    if number <= after:
        raise ValueError(f"batch {number} comes too late")
    return Batch(number, [_decode_step(step) for step in steps])


AGAIN_IN_FULL = dumps({"again": True})


def encode_results(results: Sequence[Any]) -> bytes:
    return dumps({"results": [to_json(result) for result in results]})


def encode_failure(error: LedgerUnavailable) -> bytes:
    return dumps({"failed": to_json(error)})


def decode_results(answer: bytes) -> list[Any]:
    """The results of a batch. Raises the LedgerUnavailable that the batch failed with."""
    return [from_json(result) for result in _succeeded(answer)["results"]]


def _succeeded(answer: bytes) -> dict[str, Any]:
    content: dict[str, Any] = loads(answer)
    if "failed" in content:
        raise from_json(content["failed"])
    return content


def encode_hello(worker: str) -> bytes:
    return dumps({"worker": worker})


def decode_hello(message: bytes) -> str:
    """The worker's name. Raises KeyError or ValueError."""
    return str(loads(message)["worker"])


def encode_newest(number: int) -> bytes:
    return dumps({"newest": number})


def decode_newest(message: bytes) -> int:
    """The number of the worker's newest batch. Raises the LedgerUnavailable for which it is not known."""
    return int(_succeeded(message)["newest"])


class MessageConnection:
    """Sends and receives whole messages. Raises OSError when the other side is gone, or says more than `MAX_BYTES` at once."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()

    def send(self, message: bytes) -> None:
        self.socket.sendall(len(message).to_bytes(_LENGTH, "big") + message)

    def receive(self) -> bytes:
        """Wait for a message."""
        while (message := self.receive_part()) is None:
            continue
        return message

    def receive_part(self) -> bytes | None:
        """Receive once; the message when it is whole."""
        received = self.socket.recv(_RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("the other process has closed the connection")
        self._buffer += received
        length = int.from_bytes(self._buffer[:_LENGTH], "big")
        if length > MAX_BYTES:
            raise ConnectionAbortedError(f"a message of {length} bytes")
        if len(self._buffer) < _LENGTH + length:
            return None
        message = bytes(self._buffer[_LENGTH : _LENGTH + length])
        del self._buffer[: _LENGTH + length]
        return message

    def close(self) -> None:
        self.socket.close()
