"""Which process owns an open row, and whether it is still alive: a row per process, which it renews every few seconds.

All times are the database's. While the database is away nobody can renew, so a process declares others dead only after it has itself
renewed without a gap for as long as a lease lasts. A gap that it does not count as one is too short for another's lease to end: a
lease lasts longer than such a gap, a renewal's interval before and after it, and the time to connect again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from functools import partial
from random import randrange

from gateway.store import requests, sql
from gateway.store.postgres import permits
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.postgres.schema import RECOVERY_LOCK, SHARDS

RENEW_SECONDS = 5.0
# A pause between two renewals that is longer means that the database, or this process, was away.
GAP_SECONDS = 2 * RENEW_SECONDS
LEASE_SECONDS = 30.0

_RENEW = """
INSERT INTO process_leases (owner, renewed) VALUES (?, clock_timestamp())
ON CONFLICT (owner) DO UPDATE SET renewed = excluded.renewed"""
_RELEASE = "DELETE FROM process_leases WHERE owner = ?"
_TRY_LOCK = f"SELECT pg_try_advisory_xact_lock({RECOVERY_LOCK})"
# Without a lease the owner has ended properly or was found dead. `:seconds` is null where stale leases may be the database's fault.
_DEAD = """
SELECT DISTINCT owner FROM routing_metrics LEFT JOIN process_leases USING (owner)
WHERE status = 'open' AND (renewed IS NULL OR renewed < clock_timestamp() - make_interval(secs => :seconds))"""
_LOCK_ROWS = (
    "SELECT id FROM routing_metrics WHERE status = 'open' AND owner IS NOT DISTINCT FROM ? ORDER BY id FOR UPDATE"
)
_DROP_STALE = "DELETE FROM process_leases WHERE renewed < clock_timestamp() - make_interval(secs => ?)"


class DatabaseLease:
    """The lease of one store that writes. `clock` is monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.id = uuid.uuid4().hex
        # Which rows of the rollup this process adds to.
        self.shard = randrange(SHARDS)
        self._clock = clock
        self._renewed_at: float | None = None
        self._unbroken_since: float | None = None

    def acquire(self) -> str:
        """The owner id to store with rows. The writer's session has renewed the lease in the same transaction where that was due."""
        return self.id

    @property
    def is_due(self) -> bool:
        """Whether the next transaction has to renew the lease."""
        return self._renewed_at is None or self._clock() - self._renewed_at >= RENEW_SECONDS

    def renew(self, connection: sql.Connection) -> None:
        """Renew in the current transaction. Call `renewed` after its commit."""
        connection.execute(_RENEW, (self.id,))

    def renewed(self) -> None:
        now = self._clock()
        if self._renewed_at is None or now - self._renewed_at > GAP_SECONDS:
            self._unbroken_since = now
        self._renewed_at = now

    def release(self, connection: sql.Connection) -> None:
        """Others may then close the rows that are still open."""
        connection.execute(_RELEASE, (self.id,))
        self._renewed_at = None

    @property
    def in_use(self) -> bool:
        """Whether the process has written anything."""
        return self._renewed_at is not None

    @property
    def may_judge(self) -> bool:
        """Whether a stale lease means a dead process, rather than a database that was away."""
        now = self._clock()
        if self._renewed_at is None or self._unbroken_since is None or now - self._renewed_at > GAP_SECONDS:
            return False
        return now - self._unbroken_since >= LEASE_SECONDS


def close_orphans(connection: PostgresConnection, *, lease: DatabaseLease, now: str) -> int:
    """Close the open rows of dead processes; returns their number. One process at a time does this, another one finds 0."""
    if not connection.execute(_TRY_LOCK).get:
        return 0
    seconds = LEASE_SECONDS if lease.may_judge else None
    dead = [owner for (owner,) in sql.tuples(connection, _DEAD, {"seconds": seconds})]
    for owner in dead:
        connection.execute(_LOCK_ROWS, (owner,))
    permits.delete_old(connection)
    if seconds is not None:
        connection.execute(_DROP_STALE, (seconds,))
    return requests.interrupt_rows(connection, dead, now=now)


def recovery(lease: DatabaseLease, *, now: str) -> Callable[[PostgresConnection], int]:
    """`close_orphans` as an operation of the writer."""
    return partial(close_orphans, lease=lease, now=now)
