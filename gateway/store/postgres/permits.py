"""How many requests of a key all replicas admit: permits that a replica takes a few at a time, and gives back unused.

Permits count from the moment they are taken until 60 seconds after their last use, by the database's clock. A replica that takes some holds
the key's lock, so in any 60 seconds the uses are at most as many as the limit was when the last permits were taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.store import encoding, sql
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.replicas import PERMIT_SECONDS, WINDOW, EndedPermits, Permits

# The first half of an advisory lock's key; the second is the key's hash. Two keys with one hash only wait for each other.
PERMITS_LOCK = 730_581_621
_LOCK = f"SELECT pg_advisory_xact_lock({PERMITS_LOCK}, hashtext(:key_id))"
# Apart from the lock, so that it sees what was committed before. `statement_timestamp` is later than the lock, `now` would not be.
_COUNTS = f"used_until > statement_timestamp() - interval '{WINDOW} s'"
_TAKE = f"""
WITH gone AS (DELETE FROM key_permits WHERE key_id = :key_id AND NOT {_COUNTS}),
    counted AS (
        SELECT coalesce(sum(permits), 0)::bigint AS permits, min(used_until) FILTER (WHERE permits > 0) AS first
        FROM key_permits WHERE key_id = :key_id AND {_COUNTS}
    ),
    taken AS (
        INSERT INTO key_permits (key_id, permits, taken, used_until)
        SELECT :key_id, least(:wanted::bigint, :rpm::bigint - permits), statement_timestamp(),
            statement_timestamp() + interval '{PERMIT_SECONDS} s'
        FROM counted WHERE permits < :rpm::bigint RETURNING id, permits
    )
SELECT coalesce(taken.id, 0), coalesce(taken.permits, 0),
    coalesce(extract(epoch FROM first + interval '{WINDOW} s' - statement_timestamp()), 0)::float8
FROM counted LEFT JOIN taken ON true"""  # noqa: S608 - constants
_END = """
UPDATE key_permits SET permits = ended.used, used_until = least(used_until, taken + make_interval(secs => ended.seconds))
FROM unnest($1::bigint[], $2::bigint[], $3::float8[]) AS ended (number, used, seconds) WHERE id = ended.number"""
_DELETE_OLD = f"DELETE FROM key_permits WHERE NOT {_COUNTS}"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class PermitRequest:
    """`PermitSource.take_permits` as an operation of the writer."""

    key_id: str
    rpm: int
    wanted: int

    def __call__(self, connection: PostgresConnection) -> Permits:
        values = {"key_id": encoding.text(self.key_id), "rpm": self.rpm, "wanted": self.wanted}
        connection.execute(_LOCK, values)
        ((number, granted, wait),) = sql.tuples(connection, _TAKE, values)
        return Permits(number, granted, max(0.0, wait) if granted < self.wanted else 0.0)


def end_permits(connection: PostgresConnection, *, ended: Sequence[EndedPermits]) -> None:
    """As `PermitSource.end_permits`."""
    connection.bulk(_END, ended)


def delete_old(connection: PostgresConnection) -> None:
    """Delete permits that count no more, of keys that nobody uses."""
    connection.execute(_DELETE_OLD)
