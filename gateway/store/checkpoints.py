"""What strategies learned, kept in the ledger so that a restart need not learn it again: numbered, never changed, the newest few."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import apsw

from gateway.store import Checkpoint, sql

KEPT = 10

_COLUMNS = "id, timestamp, origin, format, learned_to, outcomes, problem"
_ADD = """
INSERT INTO learned_states (timestamp, origin, format, learned_to, outcomes, digest, body)
VALUES (?, ?, ?, ?, ?, ?, ?)"""
_FORGET = """
DELETE FROM learned_states WHERE problem IS NULL AND id NOT IN (
    SELECT id FROM learned_states WHERE problem IS NULL ORDER BY id DESC LIMIT ?)"""


def add(connection: apsw.Connection, state: Checkpoint, body: bytes) -> int:
    values = (state.timestamp, state.origin, state.format, state.learned_to, state.outcomes, _digest(body), body)
    sql.changed(connection, _ADD, values)
    number = connection.last_insert_rowid()
    sql.changed(connection, _FORGET, (KEPT,))
    return number


def refuse(connection: apsw.Connection, number: int, problem: str) -> None:
    """Note that a state cannot be used; it is kept for whoever wants to know why."""
    sql.changed(connection, "UPDATE learned_states SET problem = ? WHERE id = ?", (problem, number))


def states(connection: apsw.Connection) -> Sequence[Checkpoint]:
    """Oldest first."""
    rows = sql.found(connection, f"SELECT {_COLUMNS} FROM learned_states ORDER BY id")  # noqa: S608 - constants
    return [Checkpoint(**row) for row in rows]


def body(connection: apsw.Connection, number: int) -> bytes | None:
    """None where there is no such state, or it is not what was stored."""
    rows = sql.tuples(connection, "SELECT body, digest FROM learned_states WHERE id = ?", (number,))
    if not rows or _digest(rows[0][0]) != rows[0][1]:
        return None
    return bytes(rows[0][0])


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()
