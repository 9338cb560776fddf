"""The writer's transactions: repeated where that is safe, refused where the database is away, and never done twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from gateway.accounts.budgets import Balance, Budget, Hold
from gateway.errors import LedgerUnavailable
from gateway.store import InsertRequest, SettleRequest
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import CONNECT_TIMEOUT, PostgresConnection, PostgresSource
from gateway.store.postgres.leases import DatabaseLease
from gateway.store.postgres.session import PostgresSession
from tests.postgres import PostgresServer, execute, rows
from tests.store.cases import NOW, begun, ended
from tests.store.postgres.conftest import MakeStore

HOLD = Hold("k1", Budget(10_000_000), (6_000_000,), NOW)
END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def session(url: str) -> Iterator[PostgresSession]:
    session = PostgresSession(PostgresSource(PostgresAddress.parse(url)), DatabaseLease(), statement_timeout=2.0)
    yield session
    session.disconnect()


def count(connection: PostgresConnection) -> int:
    return int(connection.execute("SELECT count(*) FROM budgets").get)


def add(connection: PostgresConnection) -> None:
    connection.execute("INSERT INTO budgets (account, period) VALUES ('a', 'total')")


def test_lost_idle_connection_is_replaced(url: str, session: PostgresSession) -> None:
    """A connection that the database ended between two transactions costs no request."""
    session.transact(add)
    execute(url, END_OTHERS)
    assert session.transact(count) == 1


def test_transaction_whose_connection_breaks_is_repeated(url: str, session: PostgresSession) -> None:
    """What was not committed yet is rolled back by the database, so it is done again, once."""
    session.transact(count)
    tries: list[int] = []

    def broken(connection: PostgresConnection) -> None:
        add(connection)
        tries.append(count(connection))
        if len(tries) == 1:
            execute(url, END_OTHERS)
            count(connection)

    session.transact(broken)
    assert (tries, session.transact(count)) == ([1, 1], 1)


def test_deadlock_is_repeated(session: PostgresSession) -> None:
    """A transaction that lost to another one's locks is done again."""
    tries: list[int] = []

    def unlucky(connection: PostgresConnection) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        return count(connection)

    assert (session.transact(unlucky), len(tries)) == (0, 3)


def test_values_at_fault_are_not_repeated(session: PostgresSession) -> None:
    """An operation that the database refuses for its values fails at once and leaves nothing."""
    with pytest.raises(asyncpg.NotNullViolationError) as raised:
        session.transact(lambda connection: connection.execute("INSERT INTO budgets (account) VALUES ('a')"))
    assert not session.concerns_database(raised.value)
    assert session.transact(count) == 0


def test_waiting_for_a_lock_ends(url: str, session: PostgresSession) -> None:
    """A statement that waits for another transaction's lock is ended by the database, and the reason is told."""
    other = PostgresSession(PostgresSource(PostgresAddress.parse(url)), DatabaseLease(), statement_timeout=0.2)

    def blocked(connection: PostgresConnection) -> None:
        connection.execute("LOCK TABLE budgets")
        with pytest.raises((asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)) as raised:
            other.transact(count)
        assert other.concerns_database(raised.value)

    session.transact(blocked)
    other.disconnect()


def test_uncertain_commit_leaves_no_row_and_no_hold(url: str, make_store: MakeStore) -> None:
    """Where COMMIT was sent and no answer came, the caller is refused, and what may have been committed is taken back."""
    store = make_store(now=lambda: NOW)
    store.submit(InsertRequest(begun("before"))).result()
    session: Any = store._writer._session  # type: ignore[attr-defined]  # the connection's messages are held up
    connection = session._connection
    send = connection.script

    def lose_the_answer(statements: str) -> None:
        send(statements)
        if statements.endswith("COMMIT"):
            raise ConnectionResetError("connection lost")

    connection.script = lose_the_answer
    refused = store.submit(InsertRequest(begun("lost"), (HOLD,)))
    assert isinstance(refused.exception(), LedgerUnavailable)
    assert store.balance("k1", "total") == Balance(held_nano=6_000_000)

    store.submit(InsertRequest(begun("after"))).result()
    assert [row["request_id"] for row in store.requests()] == ["after", "before"]
    assert store.balance("k1", "total") == Balance()
    store.submit(SettleRequest(ended("lost"))).result()
    assert rows(url, "SELECT status FROM routing_metrics WHERE request_id = 'lost'") == [("ok",)]


def test_restart_of_the_database_is_not_noticed(server: PostgresServer, make_store: MakeStore) -> None:
    """A store continues after the database was restarted; what it acknowledged is there."""
    store = make_store(server.url())
    store.submit(InsertRequest(begun("restart 1"))).result()
    server.stop()
    server.start()
    store.submit(InsertRequest(begun("restart 2"))).result()
    assert {row["request_id"] for row in store.requests()} >= {"restart 1", "restart 2"}


def test_killed_database_refuses_and_comes_back(server: PostgresServer, make_store: MakeStore) -> None:
    """While the database is away, writes and reports are refused at once, with a time to wait; nothing acknowledged is lost."""
    store = make_store(server.url())
    store.submit(SettleRequest(ended("kill 1"))).result()
    server.kill()
    try:
        for _ in range(3):
            error = store.submit(InsertRequest(begun("kill 2"))).exception()
            assert isinstance(error, LedgerUnavailable)
            assert (error.retry_after, "nothing answers there" in error.message) == (5.0, True)
        with pytest.raises(LedgerUnavailable, match="nothing answers there"):
            store.requests()
        assert not store.writable()
    finally:
        server.start()
    deadline = time.monotonic() + 10
    while not store.writable():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert {row["request_id"] for row in store.requests()} & {"kill 1", "kill 2"} == {"kill 1"}


def test_stopped_database_is_given_up(server: PostgresServer, make_store: MakeStore) -> None:
    """A database that does not answer, as one that is stopped, holds nobody for longer than the time limits."""
    store = make_store(server.url(), statement_timeout=0.1, read_timeout=0.1)
    store.submit(InsertRequest(begun("stop 1"))).result()
    store.requests()
    server.signal_all(signal.SIGSTOP)
    try:
        error = store.submit(InsertRequest(begun("stop 2"))).exception()
        assert "it does not answer" in str(error)
        with pytest.raises(LedgerUnavailable, match="it does not answer"):
            store.requests()
    finally:
        server.signal_all(signal.SIGCONT)
    time.sleep(0.1)
    store.submit(InsertRequest(begun("stop 3"))).result()
    assert {row["request_id"] for row in store.requests()} & {"stop 2", "stop 3"} == {"stop 3"}


def test_who_waits_behind_a_silent_database_is_refused_with_the_first(
    server: PostgresServer, make_store: MakeStore
) -> None:
    """What waits behind a transaction that is not answered is refused with it, and does not wait for a new connection too.

    Slow: the time limit of a transaction passes, 1.5 s here.
    """
    store = make_store(server.url(), statement_timeout=0.5)
    store.submit(InsertRequest(begun("silence 1"))).result()
    server.signal_all(signal.SIGSTOP)
    try:
        began = time.monotonic()
        first = store.submit(InsertRequest(begun("silence 2")))
        while store._writer._queue.qsize():  # type: ignore[attr-defined]  # the first one is being written
            time.sleep(0.001)
        second = store.submit(InsertRequest(begun("silence 3")))
        for refused in (first, second):
            assert "it does not answer" in str(refused.exception())
        assert time.monotonic() - began < CONNECT_TIMEOUT
    finally:
        server.signal_all(signal.SIGCONT)


def test_transaction_of_many_slow_statements_ends(session: PostgresSession) -> None:
    """The time limit is that of the whole transaction: statements that are each answered in time cannot add up to more.

    Slow: the limit passes, 1.3 s here.
    """
    session = PostgresSession(session._source, DatabaseLease(), statement_timeout=0.3)

    def slow(connection: PostgresConnection) -> None:
        for _ in range(20):
            connection.execute("SELECT pg_sleep(0.2)")

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        session.transact(slow)
    assert time.monotonic() - began < 2
    session.disconnect()


def test_read_only_database_is_told(url: str, make_store: MakeStore) -> None:
    """On a read-only standby writes are refused with the advice to name the primary."""
    store = make_store()
    database = PostgresAddress.parse(url).database
    execute(url, f"ALTER DATABASE {database} SET default_transaction_read_only = on", END_OTHERS)
    error = store.submit(InsertRequest(begun())).exception()
    assert "it is a read-only standby: name the primary" in str(error)
    assert not store.writable()
    assert store.requests() == []
