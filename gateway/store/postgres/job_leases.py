"""Jobs that one replica does for all: a row per job names who does it, as long as that process renews it.

All times in the database are the database's. A process trusts its own renewals only for as long as nobody else can take the job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from gateway.store import sql
from gateway.store.postgres.leases import LEASE_SECONDS, RENEW_SECONDS

_CLAIM = f"""
INSERT INTO job_leases (job, owner, renewed) VALUES (:job, :owner, clock_timestamp())
ON CONFLICT (job) DO UPDATE SET owner = excluded.owner, renewed = excluded.renewed
WHERE job_leases.owner = excluded.owner OR job_leases.renewed < clock_timestamp() - interval '{LEASE_SECONDS} s'
RETURNING job"""  # noqa: S608 - constants
_RENEW = "UPDATE job_leases SET renewed = clock_timestamp() WHERE owner = ? RETURNING job"
_RELEASE = "DELETE FROM job_leases WHERE owner = ?"

Changing = Callable[[], AbstractContextManager[sql.Connection]]


class JobLeases:
    """The jobs of one process, `owner`. `changing` gives a connection for one transaction; `clock` is monotonic seconds.

    A job that was taken is kept until the process ends, or does not renew for LEASE_SECONDS.
    """

    def __init__(self, owner: str, changing: Changing, *, clock: Callable[[], float]) -> None:
        self._owner = owner
        self._changing = changing
        self._clock = clock
        self._lock = threading.Lock()
        self._held_since: dict[str, float] = {}  # the last renewal of each job that this process does
        self._asked_at: dict[str, float] = {}

    def leads(self, job: str) -> bool:
        """Whether this process does the job now. Takes it where nobody does; asks the database every RENEW_SECONDS at most."""
        with self._lock:
            now = self._clock()
            if now < self._held_since.get(job, float("-inf")) + LEASE_SECONDS:
                return True
            if now < self._asked_at.get(job, float("-inf")) + RENEW_SECONDS:
                return False
            with self._changing() as connection:
                claimed = connection.execute(_CLAIM, {"job": job, "owner": self._owner}).get is not None
            self._asked_at[job] = now
            if claimed:
                self._held_since[job] = now
            return claimed

    def renew(self, connection: sql.Connection) -> Callable[[], None]:
        """Renew all jobs of this process in the current transaction. Call what is returned after its commit."""
        asked_at = self._clock()
        held = tuple(self._held_since)
        renewed = {job for (job,) in sql.tuples(connection, _RENEW, (self._owner,))} if held else set()

        def committed() -> None:
            with self._lock:
                for job in held:  # one that was taken meanwhile is not among them
                    if job in renewed:
                        self._held_since[job] = asked_at
                    else:
                        del self._held_since[job]

        return committed

    def release(self, connection: sql.Connection) -> None:
        """Others may take the jobs at once."""
        connection.execute(_RELEASE, (self._owner,))
