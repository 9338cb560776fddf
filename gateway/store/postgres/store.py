"""The ledger in PostgreSQL, for several replicas: the implementation of `Store`."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from gateway.errors import LedgerUnavailable
from gateway.store.database_store import DatabaseStore
from gateway.store.ledger_tables import LedgerTable
from gateway.store.mutations import InsertRequest, Mutation
from gateway.store.postgres import batch, leases, migrations, schema
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import PostgresConnection, PostgresSource
from gateway.store.postgres.job_leases import Changing, JobLeases
from gateway.store.postgres.readers import READ_TIMEOUT, LoopThread, PostgresReaders, run_every
from gateway.store.postgres.replicas import PostgresReplicas
from gateway.store.postgres.session import STATEMENT_TIMEOUT, PostgresSession
from gateway.store.pruning import RollupKey
from gateway.store.sql import Connection
from gateway.store.writer import QUEUE_SIZE, Writer

log = logging.getLogger(__name__)

_DATABASE_TIME = "SELECT clock_timestamp()"
_COUNTS = (
    "SELECT count(*) FROM routing_metrics",
    "SELECT count(*) FROM attempts",
    "SELECT count(*) FROM outcomes",
    "SELECT count(*) FROM rollup",
)
# Rows that are inserted with their ids do not move the sequence; a column without one is left alone.
_CONTINUE_IDS = "SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"


class DatabaseClock:
    """The time of day of the database, so that all replicas use the same windows of time. `local` is this machine's."""

    def __init__(self, local: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._local = local
        self._offset = timedelta(0)

    def now(self) -> datetime:
        return self._local() + self._offset

    def read(self, connection: Connection) -> None:
        """Ask the database; the answer's way, a few milliseconds, is neglected."""
        told: datetime = connection.execute(_DATABASE_TIME).get
        self._offset = told - self._local()


class PostgresStore(DatabaseStore):
    """`gateway.store.Store` on PostgreSQL 15 or newer. Timeouts are in seconds.

    Opening upgrades the schema. Raises LedgerUnavailable, which says what to do. `clock` is monotonic seconds; `now` is the time of
    day, the database's unless it is given.
    """

    rollup_key = RollupKey(", shard", f", {schema.SHARD}", " FOR UPDATE")

    def __init__(
        self,
        address: PostgresAddress,
        *,
        statement_timeout: float = STATEMENT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        queue_size: int = QUEUE_SIZE,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.address = address
        self._database_clock = DatabaseClock()
        self._follows_database = now is None
        source = PostgresSource(self.address)
        thread = LoopThread(f"ledger readers {self.address.database}")
        self._pool = PostgresReaders(source, thread, seconds=read_timeout)
        try:
            self._prepare()
        except BaseException:
            self._pool.close()
            raise
        self._lease = leases.DatabaseLease(clock=clock)
        renewing = partial(self._pool.changing, seconds=leases.RENEW_SECONDS)
        self._jobs = jobs = JobLeases(self._lease.id, renewing, clock=clock)
        writer = Writer(
            PostgresSession(source, self._lease, statement_timeout=statement_timeout, clock=clock),
            apply_batch=partial(batch.apply_batch, owner=self._lease),
            apply_one=partial(batch.apply_one, owner=self._lease),
            clock=clock,
            on_close=partial(_close, self._pool, self._lease, jobs),
            queue_size=queue_size,
        )
        super().__init__(readers=self._pool, writer=writer, clock=clock, now=now or self._database_clock.now)
        self._replicas = PostgresReplicas(source, thread, writer=writer, jobs=jobs)
        weakref.finalize(self, writer.stop)
        renew = partial(_renew, renewing, self._lease, jobs, self._database_clock)
        thread.start(run_every(leases.RENEW_SECONDS, renew))

    @property
    def replicas(self) -> PostgresReplicas:
        return self._replicas

    def close_orphans(self, *, now: str) -> int:
        """Holds expire by the database's clock, whatever `now` the caller's clock says."""
        if self._follows_database:
            now = self._timestamp()
        closed: int = self._writer.submit(leases.recovery(self._lease, now=now)).result()
        return closed

    def insert_rows(self, table: LedgerTable, rows: Sequence[Sequence[Any]]) -> None:
        columns = ", ".join(table.columns)
        arrays = ", ".join(
            f"${number}::{schema.ARRAYS[kind]}" for number, kind in enumerate(table.columns.values(), start=1)
        )
        query = f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({arrays})"  # noqa: S608 - constants

        def insert(connection: PostgresConnection) -> None:
            connection.bulk(query, rows)
            if table.columns.get("id") == "INTEGER":
                connection.script(_CONTINUE_IDS.format(table=table.name))

        self.apply(insert)

    def check(self) -> None:
        read_tables(self._pool)

    def _prepare(self) -> None:
        with self._pool.changing() as connection:
            version = migrations.schema_version(connection, name=self.address.name)
            self._database_clock.read(connection)
        if version != migrations.SCHEMA:
            with self._pool.changing(seconds=migrations.MIGRATION_SECONDS) as connection:
                migrations.migrate(connection, name=self.address.name)

    def _stamped(self, mutation: Mutation[Any]) -> Mutation[Any]:
        """Windows of budgets follow the database's clock."""
        if self._follows_database and isinstance(mutation, InsertRequest) and mutation.holds:
            at = self._database_clock.now()
            return replace(mutation, holds=[replace(hold, at=at) for hold in mutation.holds])
        return super()._stamped(mutation)


def read_tables(pool: PostgresReaders) -> None:
    """Read the ledger's tables. PostgreSQL verifies the checksums of pages itself, where the cluster has them."""
    with pool.reading() as connection:
        for count in _COUNTS:
            connection.execute(count)


def _renew(changing: Changing, lease: leases.DatabaseLease, jobs: JobLeases, clock: DatabaseClock) -> None:
    """Renew the leases and read the database's time. While the database is away, the next renewal comes."""
    try:
        with changing() as connection:
            if lease.in_use:
                lease.renew(connection)
            jobs_renewed = jobs.renew(connection)
            clock.read(connection)
        if lease.in_use:
            lease.renewed()
        jobs_renewed()
    except LedgerUnavailable as error:
        log.debug("the lease was not renewed: %s", error.message)


def _close(pool: PostgresReaders, lease: leases.DatabaseLease, jobs: JobLeases) -> None:
    with suppress(LedgerUnavailable), pool.changing() as connection:
        lease.release(connection)
        jobs.release(connection)
    pool.close()
