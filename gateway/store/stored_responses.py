"""Responses of `/v1/responses` that are kept for their clients. Runs inside the writer's transaction, but for `read`."""

from __future__ import annotations

from gateway.store import sql
from gateway.store.mutations import MAX_TURNS, StoredResponse

_COLUMNS = ", ".join(StoredResponse._fields)
_INSERT = f"""
INSERT INTO responses ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in StoredResponse._fields[1:])}"""  # noqa: S608 - constants
_READ = f"SELECT {_COLUMNS} FROM responses WHERE id = ?"  # noqa: S608 - constants
_RENEW = f"""
WITH RECURSIVE turns (id, number) AS (
  SELECT id, 1 FROM responses WHERE id = :previous
  UNION SELECT responses.previous, number + 1 FROM responses JOIN turns USING (id)
  WHERE responses.previous IS NOT NULL AND number < {MAX_TURNS}
)
UPDATE responses SET expires = :expires WHERE expires < :expires AND id IN (SELECT id FROM turns)
"""  # noqa: S608 - constants


def insert(connection: sql.Connection, response: StoredResponse) -> None:
    """Store a response, and keep those before it as long."""
    connection.execute(_INSERT, response)
    if response.previous is not None:
        connection.execute(_RENEW, {"previous": response.previous, "expires": response.expires})


def delete(connection: sql.Connection, response_id: str, key_id: str | None) -> bool:
    """Returns whether there was such a response of this key."""
    statement = "DELETE FROM responses WHERE id = ? AND key_id IS NOT DISTINCT FROM ?"
    return bool(sql.changed(connection, statement, (response_id, key_id)))


def delete_expired(connection: sql.Connection, now: float) -> None:
    connection.execute("DELETE FROM responses WHERE expires <= ?", (now,))


def read(connection: sql.Connection, response_id: str) -> StoredResponse | None:
    """A response, also one that has expired and is not deleted yet."""
    row = connection.execute(_READ, (response_id,)).fetchone()
    return None if row is None else StoredResponse(*row)
