"""Checkpoints of the estimator: numbered and immutable; the newest ones survive."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from gateway.store import sql
from gateway.store.mutations import Checkpoint
from gateway.store.sql import Connection

MAX_CHECKPOINTS = 10

_COLUMNS = "id, timestamp, origin, format, learned_to, outcomes, problem"
_INSERT = """
INSERT INTO checkpoints (timestamp, origin, format, learned_to, outcomes, digest, body)
VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"""
_DELETE_OLD = """
DELETE FROM checkpoints WHERE problem IS NULL AND id NOT IN (
    SELECT id FROM checkpoints WHERE problem IS NULL ORDER BY id DESC LIMIT ?)"""


def insert(connection: Connection, checkpoint: Checkpoint, body: bytes) -> int:
    """Returns the id of the checkpoint. Deletes usable checkpoints beyond the newest `MAX_CHECKPOINTS`."""
    values = (
        checkpoint.timestamp,
        checkpoint.origin,
        checkpoint.format,
        checkpoint.learned_to,
        checkpoint.outcomes,
        _digest(body),
        body,
    )
    number = int(connection.execute(_INSERT, values).get)
    connection.execute(_DELETE_OLD, (MAX_CHECKPOINTS,))
    return number


def reject(connection: Connection, number: int, problem: str) -> None:
    """Mark a checkpoint as unusable. It is not deleted, so that the cause can be examined."""
    connection.execute("UPDATE checkpoints SET problem = ? WHERE id = ?", (problem, number))


def read_all(connection: Connection) -> Sequence[Checkpoint]:
    """Oldest first, without bodies."""
    rows = sql.dicts(connection, f"SELECT {_COLUMNS} FROM checkpoints ORDER BY id")  # noqa: S608 - constants
    return [Checkpoint(**row) for row in rows]


def read_body(connection: Connection, number: int) -> bytes | None:
    """None when there is no such checkpoint, or its checksum is wrong."""
    row = connection.execute("SELECT body, digest FROM checkpoints WHERE id = ?", (number,)).fetchone()
    if row is None or _digest(row[0]) != row[1]:
        return None
    return bytes(row[0])


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()
