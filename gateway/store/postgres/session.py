"""The writer's connection to PostgreSQL: transactions with time limits, repeated where that is safe, and reconnection.

A transaction whose connection breaks before COMMIT was sent is rolled back by the server, so it is repeated once on a new
connection. When the connection breaks during COMMIT, nobody knows whether it happened: the callers get an error, and the rows that
it inserted are removed before the next transaction, because nothing was sent upstream for them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from gateway.errors import LedgerUnavailable
from gateway.store.postgres import failures
from gateway.store.postgres.connection import PostgresConnection, PostgresSource, new_event_loop
from gateway.store.postgres.leases import DatabaseLease

T = TypeVar("T")

# Seconds for one statement. A batch takes milliseconds; what takes longer waits for a lock or a disk.
STATEMENT_TIMEOUT = 5.0
# A whole transaction has this much longer, by this process's clock: a server that was stopped or cut off ends nothing itself.
_GRACE_SECONDS = 1.0
# Pauses between attempts to connect, in seconds; each is shortened at random, so that replicas do not all come at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
# Of a transaction that another one's locks stopped (deadlock).
_TRIES = 4

_COMMIT = "COMMIT"
_COMMIT_AT_ONCE = "SET LOCAL synchronous_commit = off; COMMIT"
_REMOVE_ROWS = "DELETE FROM routing_metrics WHERE request_id = ANY(?) AND owner = ? AND status = 'open'"
_RELEASE_HOLDS = """
WITH released AS (DELETE FROM holds WHERE request_id = ANY(?) RETURNING account, period, amount_nano),
    sums AS (SELECT account, period, sum(amount_nano) AS amount FROM released GROUP BY account, period)
UPDATE budgets SET held_nano = held_nano - sums.amount FROM sums
WHERE budgets.account = sums.account AND budgets.period = sums.period"""


class PostgresSession:
    """`gateway.store.writer.WriteSession` on PostgreSQL. It has an event loop of its own, in the writer's thread."""

    def __init__(
        self,
        source: PostgresSource,
        lease: DatabaseLease,
        *,
        statement_timeout: float = STATEMENT_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._lease = lease
        self._timeout = statement_timeout
        self._clock = clock
        milliseconds = int(1000 * statement_timeout)
        # Sent with BEGIN and for this transaction only, because a pooler may give the next one another server.
        self._begin = (
            f"BEGIN; SET LOCAL statement_timeout = {milliseconds}; SET LOCAL lock_timeout = {milliseconds};"
            f" SET LOCAL idle_in_transaction_session_timeout = {milliseconds}; SET LOCAL jit = off;"
            f" SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL gateway.shard = '{lease.shard}'"
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: PostgresConnection | None = None
        self._uncertain: list[str] = []
        self._pause = _FIRST_PAUSE
        self._connect_at = 0.0  # not before this time, after a failure
        self._failure: LedgerUnavailable | None = None

    @property
    def name(self) -> str:
        return self._source.address.database

    def transact(self, apply: Callable[[PostgresConnection], T]) -> T:
        for remaining in reversed(range(_TRIES)):
            used = self._connection is not None
            try:
                return self._try(apply)
            except _CommitUncertain as error:
                self._lose(error.cause)
                raise error.cause from error
            except Exception as error:
                lost = failures.is_lost(error)
                if lost:
                    self._lose(error)
                broken = lost and used and not isinstance(error, TimeoutError)
                if not remaining or not (failures.is_repeatable(error) or broken):
                    raise
        raise AssertionError("unreachable")  # pragma: no cover - the last try returns or raises

    def concerns_database(self, error: Exception) -> bool:
        return failures.concerns_database(error)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        return failures.unavailable(self._source.address, error)

    def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        loop, self._loop = self._loop, None
        if loop is None:
            return
        if connection is not None:
            connection.driver.terminate()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        with suppress(Exception):
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    def _lose(self, error: Exception) -> None:
        """Give the connection up. After silence the next attempt comes later, so that who waited for this one is refused now."""
        self.disconnect()
        if isinstance(error, TimeoutError):
            self._fail(error)

    def _fail(self, error: Exception) -> LedgerUnavailable:
        """Refuse everything for a moment; each failure in a row makes it longer."""
        self._failure = error if isinstance(error, LedgerUnavailable) else self.unavailable(error)
        self._connect_at = self._clock() + self._pause * random.uniform(0.5, 1.0)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return self._failure

    def _try(self, apply: Callable[[PostgresConnection], T]) -> T:
        connection = self._connected()
        if self._uncertain:
            self._remove_uncertain(connection)
        return self._transaction(connection, apply)

    def _transaction(self, connection: PostgresConnection, apply: Callable[[PostgresConnection], T]) -> T:
        connection.inserted.clear()
        connection.waits_for_disk = True
        connection.deadline = self._clock() + self._timeout + _GRACE_SECONDS
        connection.script(self._begin)
        renews = self._lease.is_due
        try:
            if renews:
                self._lease.renew(connection)
            result = apply(connection)
        except Exception as error:
            if not failures.is_lost(error):
                connection.script("ROLLBACK")
            raise
        try:
            connection.script(_COMMIT if connection.waits_for_disk else _COMMIT_AT_ONCE)
        except Exception as error:
            self._uncertain += connection.inserted
            raise _CommitUncertain(error) from error
        if renews:
            self._lease.renewed()
        return result

    def _remove_uncertain(self, connection: PostgresConnection) -> None:
        ids = list(self._uncertain)

        def remove(connection: PostgresConnection) -> None:
            connection.execute(_RELEASE_HOLDS, (ids,))
            connection.execute(_REMOVE_ROWS, (ids, self._lease.id))

        self._transaction(connection, remove)
        self._uncertain.clear()

    def _connected(self) -> PostgresConnection:
        if self._connection is not None:
            return self._connection
        if self._failure is not None and self._clock() < self._connect_at:
            raise self._failure
        loop = self._loop = new_event_loop()
        try:
            driver = loop.run_until_complete(self._source.connect())
        except Exception as error:
            self.disconnect()
            raise self._fail(error) from error
        self._pause, self._failure = _FIRST_PAUSE, None
        self._connection = PostgresConnection(driver, loop.run_until_complete, clock=self._clock)
        return self._connection


class _CommitUncertain(Exception):
    """COMMIT was sent, and no answer came."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause
