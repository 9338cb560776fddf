"""Prompts and answers that are kept for the operator. Runs inside the writer's transaction, but for `read`."""

from __future__ import annotations

from gateway.store import encoding, sql
from gateway.store.mutations import StoredContent

_INSERT = """
INSERT INTO contents (request_id, timestamp, prompt, answer) VALUES (?, ?, ?, ?) ON CONFLICT (request_id) DO NOTHING"""
_READ = "SELECT request_id, timestamp, prompt, answer FROM contents WHERE request_id = ?"
_DELETE = """
DELETE FROM contents WHERE request_id IN (
    SELECT request_id FROM contents WHERE timestamp < :before ORDER BY timestamp LIMIT :limit
)"""


def insert(connection: sql.Connection, content: StoredContent) -> None:
    values = (content.prompt, content.answer)
    connection.execute(_INSERT, (*map(encoding.text, content[:2]), *map(_storable, values)))


def delete(connection: sql.Connection, *, before: str, limit: int) -> int:
    """Delete up to `limit` contents from before a time; returns how many."""
    return sql.changed(connection, _DELETE, {"before": before, "limit": limit})


def _storable(text: str) -> str:
    """Valid UTF-8 without NUL, of any length: the limit is the collector's."""
    return text.replace("\0", "").encode(errors="replace").decode()


def read(connection: sql.Connection, request_id: str) -> StoredContent | None:
    row = connection.execute(_READ, (encoding.text(request_id),)).fetchone()
    return None if row is None else StoredContent(*row)
