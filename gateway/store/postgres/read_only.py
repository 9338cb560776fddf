"""The ledger in PostgreSQL for commands that only read: it creates, changes and upgrades nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from gateway.errors import LedgerUnavailable
from gateway.store.database_store import DatabaseStore
from gateway.store.ledger_tables import LedgerTable
from gateway.store.postgres import migrations
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import PostgresSource
from gateway.store.postgres.readers import READ_TIMEOUT, LoopThread, PostgresReaders
from gateway.store.postgres.store import DatabaseClock, read_tables
from gateway.store.read_only import LedgerOutdated, NoWriter


class ReadOnlyPostgresStore(DatabaseStore):
    """A `gateway.store.Store` whose writes fail, except for checkpoints, which are dropped. Works on a read-only standby too.

    `read_timeout` is in seconds. Raises LedgerUnavailable when the database cannot be read, has no ledger, or has a schema other than this gateway's.
    """

    def __init__(self, address: PostgresAddress, *, read_timeout: float = READ_TIMEOUT) -> None:
        self._pool = readers = PostgresReaders(
            PostgresSource(address), LoopThread("ledger readers"), seconds=read_timeout
        )
        clock = DatabaseClock()
        super().__init__(readers=readers, writer=NoWriter(address.name), clock=time.monotonic, now=clock.now)
        try:
            with readers.reading() as connection:
                version = migrations.schema_version(connection, name=address.name)
                clock.read(connection)
            if version == 0:
                raise LedgerUnavailable(f"There is no ledger in {address.name}. Name one with --db or GATEWAY_DB.")
            if version < migrations.SCHEMA:
                raise LedgerOutdated(
                    f"The ledger {address.name} has schema {version}, this gateway reads {migrations.SCHEMA}: "
                    "start `gateway serve` on it once, which brings it up to date."
                )
        except BaseException:
            readers.close()
            raise

    def check(self) -> None:
        read_tables(self._pool)

    def close_orphans(self, *, now: str) -> int:
        """Raises LedgerUnavailable, as every write."""
        closed: int = self._writer.submit(lambda _: 0).result()
        return closed

    def insert_rows(self, table: LedgerTable, rows: Sequence[Sequence[Any]]) -> None:
        """Raises LedgerUnavailable, as every write."""
        self.apply(lambda _: None)

    def writable(self) -> bool:
        """Always False."""
        return False

    def close(self) -> None:
        self._readers.close()
