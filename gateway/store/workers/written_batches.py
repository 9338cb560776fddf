"""The newest batch of each worker, stored in the transaction that applied it: a batch that is sent again is not applied twice.

The table exists only in SQLite ledgers that several workers have used. It is no part of the schema, and nothing copies it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gateway.store import sql
from gateway.store.sql import Connection

_TABLE = """
CREATE TABLE IF NOT EXISTS written_batches (
    worker TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    answer BLOB NOT NULL
) WITHOUT ROWID"""
_NEWEST = "SELECT number, answer FROM written_batches WHERE worker = ?"
_RECORD = """
INSERT INTO written_batches (worker, number, answer) VALUES (?, ?, ?)
ON CONFLICT (worker) DO UPDATE SET number = excluded.number, answer = excluded.answer"""
_WORKERS = "SELECT worker FROM written_batches"
_DELETE = "DELETE FROM written_batches WHERE worker = ?"


class WrittenBatch(NamedTuple):
    """The number of a worker's batch, counted from 1, and the bytes that answered it."""

    number: int = 0
    answer: bytes = b""


def newest(connection: Connection, worker: str) -> WrittenBatch:
    """The worker's newest batch; number 0 without one."""
    connection.execute(_TABLE)
    row = connection.execute(_NEWEST, (worker,)).fetchone()
    return WrittenBatch() if row is None else WrittenBatch(*row)


def record(connection: Connection, worker: str, batch: WrittenBatch) -> None:
    """Store the batch as the worker's newest. Part of the transaction that applies it."""
    connection.execute(_TABLE)  # the file may have been replaced since the worker came
    connection.execute(_RECORD, (worker, *batch))


def delete_dead(connection: Connection, *, is_alive: Callable[[str], bool]) -> None:
    """Forget the batches of workers that have ended."""
    connection.execute(_TABLE)
    for (worker,) in sql.tuples(connection, _WORKERS):
        if not is_alive(worker):
            connection.execute(_DELETE, (worker,))
