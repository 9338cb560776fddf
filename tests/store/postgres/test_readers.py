"""Connections for reports: few, snapshots, ended in time, and replaced when they were lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gateway.errors import InvalidRequest, LedgerUnavailable
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import PostgresSource
from gateway.store.postgres.readers import MOST_READERS, LoopThread, PostgresReaders
from tests.postgres import execute, rows

ADD = "INSERT INTO budgets (account, period) VALUES ('a', 'total')"
COUNT = "SELECT count(*) FROM budgets"
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def readers(url: str) -> Iterator[PostgresReaders]:
    readers = PostgresReaders(PostgresSource(PostgresAddress.parse(url)), LoopThread("test"), seconds=1.0)
    yield readers
    readers.close()


def test_report_sees_one_snapshot(url: str, readers: PostgresReaders) -> None:
    """What is committed while a report runs is not in it, and is in the next one."""
    with readers.reading() as connection:
        before = connection.execute(COUNT).get
        execute(url, ADD)
        assert connection.execute(COUNT).get == before == 0
    with readers.reading() as connection:
        assert connection.execute(COUNT).get == 1


def test_report_cannot_write(readers: PostgresReaders) -> None:
    """The database itself refuses a write of a report."""
    with pytest.raises(LedgerUnavailable, match="read-only"), readers.reading() as connection:
        connection.execute(ADD)


def test_slow_report_is_ended(readers: PostgresReaders) -> None:
    """A report that takes longer than its time is ended by the database."""
    with pytest.raises(LedgerUnavailable, match="took too long"), readers.reading() as connection:
        connection.execute("SELECT pg_sleep(30)")


def test_connections_are_few_and_used_again(url: str, readers: PostgresReaders) -> None:
    """Reports share a few connections; one more waits, and is refused after its time."""
    opened = [readers.reading() for _ in range(MOST_READERS)]
    for report in opened:
        report.__enter__()
    with pytest.raises(LedgerUnavailable, match="all connections for reports are in use"), readers.reading():
        pass
    for report in opened:
        report.__exit__(None, None, None)
    with readers.reading():
        assert rows(url, f"SELECT count(*) {OTHERS}") == [(MOST_READERS,)]


def test_lost_connections_are_replaced(url: str, readers: PostgresReaders) -> None:
    """Connections that the database ended cost no report."""
    with readers.reading(), readers.reading():
        pass
    execute(url, f"SELECT pg_terminate_backend(pid) {OTHERS}")
    with readers.reading() as connection:
        assert connection.execute(COUNT).get == 0


def test_refusal_of_a_report_stays_what_it_is(readers: PostgresReaders) -> None:
    """An error that is not the database's is raised as it is."""
    with pytest.raises(InvalidRequest), readers.reading():
        raise InvalidRequest("no")


def test_closed_readers_refuse(readers: PostgresReaders) -> None:
    """After the end no connection is opened; ending twice is harmless."""
    readers.close()
    with pytest.raises(LedgerUnavailable, match="closed"), readers.reading():
        pass


def test_closing_ends_a_running_report(readers: PostgresReaders) -> None:
    """A report that runs while the store is closed ends with a refusal."""
    started, refusals = threading.Event(), []

    def report() -> None:
        try:
            with readers.reading() as connection:
                started.set()
                connection.execute("SELECT pg_sleep(30)")
        except LedgerUnavailable as error:
            refusals.append(error.message)

    thread = threading.Thread(target=report)
    thread.start()
    assert started.wait(10)
    readers.close()
    thread.join(10)
    assert refusals == ["The ledger is closed."]


def test_closed_loop_refuses_work() -> None:
    """A loop that was ended is not started again."""
    thread = LoopThread("test")
    thread.start(asyncio.sleep(60))
    thread.close()
    thread.close()
    with pytest.raises(RuntimeError, match="closed"):
        thread.run(asyncio.sleep(0))
