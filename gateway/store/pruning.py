"""Deletes old rows and keeps the rollup's sums, in transactions of a bounded number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.store import rollup, sql

_OLD = (
    "SELECT id, request_id FROM routing_metrics WHERE timestamp < :before AND status <> 'open' ORDER BY id LIMIT :limit"
)
_ATTEMPTS = "DELETE FROM attempts WHERE id >= :id || ':' AND id < :id || ';' AND request_id = :id"
_BY_REQUEST = ("feedback", "cost_history", "contents")
# Those that no sound state has learned are kept: a start learns them.
_OUTCOMES = """
DELETE FROM outcomes WHERE id IN (
    SELECT id FROM outcomes WHERE timestamp < :before
        AND id <= (SELECT coalesce(max(learned_to), 0) FROM checkpoints WHERE problem IS NULL)
    ORDER BY id LIMIT :limit
)"""


class RollupKey(NamedTuple):
    """What the two databases write differently: the rollup's columns beyond its key with their values, and the lock of rows."""

    column: str = ""
    value: str = ""
    row_lock: str = ""


def prune_requests(connection: sql.Connection, *, before: str, limit: int, key: RollupKey) -> int:
    """Delete up to `limit` closed rows from before a time (ISO 8601, UTC) with what belongs to them; returns how many.

    Their sums are added to the rollup first, because the triggers subtract them when the rows are deleted.
    """
    rows = sql.tuples(connection, _OLD + key.row_lock, {"before": before, "limit": limit})
    if not rows:
        return 0
    ids, request_ids = [row[0] for row in rows], [row[1] for row in rows]
    places = ", ".join("?" * len(ids))
    statement = _add_to_rollup(places, key)
    connection.execute(statement, ids)
    for request_id in request_ids:
        connection.execute(_ATTEMPTS, {"id": request_id})
    for statement in _delete_by_request(places):
        connection.execute(statement, request_ids)
    statement = f"DELETE FROM routing_metrics WHERE id IN ({places})"  # noqa: S608 - places of parameters
    connection.execute(statement, ids)
    return len(ids)


def prune_outcomes(connection: sql.Connection, *, before: str, limit: int) -> int:
    """Delete up to `limit` outcomes from before a time that a stored state has learned; returns how many."""
    return sql.changed(connection, _OUTCOMES, {"before": before, "limit": limit})


def _delete_by_request(places: str) -> Iterator[str]:
    for table in _BY_REQUEST:
        yield f"DELETE FROM {table} WHERE request_id IN ({places})"  # noqa: S608 - constants


def _add_to_rollup(places: str, key: RollupKey) -> str:
    names = ", ".join(rollup.KEY)
    sums = ", ".join(f"sum({measure})" for measure in rollup.MEASURES)
    added = ", ".join(f"{measure} = rollup.{measure} + excluded.{measure}" for measure in rollup.MEASURES)
    return f"""
INSERT INTO rollup ({names}{key.column}, {", ".join(rollup.MEASURES)})
SELECT {names}{key.value}, {sums} FROM rollup_rows WHERE id IN ({places}) GROUP BY {names} ORDER BY {names}
ON CONFLICT ({names}{key.column}) DO UPDATE SET {added}"""  # noqa: S608 - constants
