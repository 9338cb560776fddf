"""Jobs that one replica does for all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import PostgresSource
from gateway.store.postgres.job_leases import JobLeases
from gateway.store.postgres.leases import LEASE_SECONDS, RENEW_SECONDS
from gateway.store.postgres.readers import LoopThread, PostgresReaders
from gateway.store.sql import Connection
from tests.postgres import execute, rows
from tests.resilience.clocks import Clock
from tests.store.postgres.conftest import MakeStore

PASS = "UPDATE job_leases SET renewed = renewed - interval '{} s'"


class Process:
    """The jobs of one process, with a clock of its own."""

    def __init__(self, name: str, pool: PostgresReaders) -> None:
        self.clock = Clock()
        self.asked = 0
        self._pool = pool
        self.jobs = JobLeases(name, self._changing, clock=self.clock)

    def _changing(self) -> AbstractContextManager[Connection]:
        self.asked += 1
        return self._pool.changing()

    def renew(self) -> None:
        with self._pool.changing() as connection:
            committed = self.jobs.renew(connection)
        committed()


@pytest.fixture
def pool(url: str) -> Iterator[PostgresReaders]:
    pool = PostgresReaders(PostgresSource(PostgresAddress.parse(url)), LoopThread("test"))
    yield pool
    pool.close()


def test_one_of_many_does_a_job(make_store: MakeStore, url: str) -> None:
    """Of three replicas that ask at once one does the job; another job may be another's."""
    stores = [make_store(url) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        leads = list(threads.map(lambda store: store.replicas.leads("learning"), stores))
    assert sorted(leads) == [False, False, True]
    assert stores[0].replicas.leads("other")


def test_job_of_a_closed_store_is_taken_at_once(make_store: MakeStore, url: str) -> None:
    """A replica that ends properly leaves its jobs to the others."""
    first, second = make_store(url), make_store(url)
    assert first.replicas.leads("learning")
    first.close()
    assert second.replicas.leads("learning")


def test_job_of_a_dead_process_is_taken_when_its_lease_ends(url: str, pool: PostgresReaders) -> None:
    """A job that nobody renews is taken after the lease has ended, not before; the former one notices at its next renewal."""
    dead, living = Process("dead", pool), Process("living", pool)
    assert dead.jobs.leads("learning")
    for passed, leads in ((LEASE_SECONDS - 5, False), (10, True)):
        execute(url, PASS.format(passed))
        living.clock.pass_by(passed)
        assert living.jobs.leads("learning") is leads
    dead.renew()
    assert not dead.jobs.leads("learning")


def test_own_renewals_are_trusted_no_longer_than_the_lease(url: str, pool: PostgresReaders) -> None:
    """A process that could not renew for as long as a lease lasts asks again before it does its job."""
    process = Process("stopped", pool)
    assert process.jobs.leads("learning")
    execute(url, "UPDATE job_leases SET owner = 'another', renewed = clock_timestamp()")
    process.clock.pass_by(LEASE_SECONDS - 1)
    assert process.jobs.leads("learning")
    process.clock.pass_by(1)
    assert not process.jobs.leads("learning")


def test_database_is_asked_now_and_then(pool: PostgresReaders) -> None:
    """Who does a job asks no more; who does not asks every few seconds."""
    leading, following = Process("leading", pool), Process("following", pool)
    for _ in range(3):
        leading.jobs.leads("learning")
        following.jobs.leads("learning")
    assert (leading.asked, following.asked) == (1, 1)
    for process in (leading, following):
        process.clock.pass_by(RENEW_SECONDS)
        process.jobs.leads("learning")
    assert (leading.asked, following.asked) == (1, 2)


def test_renewed_jobs_are_kept(url: str, pool: PostgresReaders) -> None:
    """Renewals keep all jobs of a process for another lease, one that was taken meanwhile too."""
    process = Process("renewing", pool)
    assert process.jobs.leads("first")
    process.clock.pass_by(LEASE_SECONDS - 1)
    execute(url, PASS.format(LEASE_SECONDS - 1))
    with pool.changing() as connection:
        committed = process.jobs.renew(connection)
    assert process.jobs.leads("second")
    committed()
    process.clock.pass_by(LEASE_SECONDS - 1)
    assert process.jobs.leads("first")
    assert process.jobs.leads("second")
    assert process.asked == 2
    assert rows(url, "SELECT job, owner FROM job_leases ORDER BY job") == [
        ("first", "renewing"),
        ("second", "renewing"),
    ]


def test_database_that_is_away_is_told(url: str, pool: PostgresReaders) -> None:
    """While the database cannot be asked nobody takes a job."""
    process = Process("away", pool)
    execute(url, "DROP TABLE job_leases")
    with pytest.raises(LedgerUnavailable):
        process.jobs.leads("learning")
