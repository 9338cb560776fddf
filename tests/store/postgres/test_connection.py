"""Connections to PostgreSQL: parameters, results, time limits, and poolers between."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import sql
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import PostgresConnection, PostgresRows, PostgresSource, limited, numbered
from gateway.store.postgres.readers import LoopThread, PostgresReaders


class StandIn:
    """What `PostgresSource` asks of a new connection."""

    def __init__(self, *, version: int = 15, pid: int = 1, answer: int | Exception = 1) -> None:
        self.version, self.pid, self.answer = version, pid, answer
        self.terminated = False

    def get_server_version(self) -> Any:
        return SimpleNamespace(major=self.version)

    def get_server_pid(self) -> int:
        return self.pid

    async def fetchval(self, query: str) -> int:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def terminate(self) -> None:
        self.terminated = True


class ScriptedSource(PostgresSource):
    """A source that opens prepared connections and notes how many statements each may cache."""

    def __init__(self, *connections: StandIn) -> None:
        super().__init__(PostgresAddress.parse("postgresql://h/d"))
        self.connections = list(connections)
        self.cached: list[bool] = []

    async def _open(self, *, cached_statements: int) -> Any:
        self.cached.append(cached_statements > 0)
        return self.connections.pop(0)


@pytest.mark.parametrize(
    ("query", "text", "names", "has_rows"),
    [
        ("SELECT ?, ?", "SELECT $1, $2", (), True),
        ("UPDATE t SET a = :a, b = :b WHERE c = :a", "UPDATE t SET a = $1, b = $2 WHERE c = $1", ("a", "b"), False),
        ("SELECT :id || ':', 'it''s ?', x::text", "SELECT $1 || ':', 'it''s ?', x::text", ("id",), True),
        ("INSERT INTO t SELECT ? RETURNING id", "INSERT INTO t SELECT $1 RETURNING id", (), True),
        ("INSERT INTO t SELECT ?", "INSERT INTO t SELECT $1", (), False),
    ],
)
def test_parameters_are_numbered(query: str, text: str, names: tuple[str, ...], has_rows: bool) -> None:
    """Parameters get PostgreSQL's numbers; text in quotes and casts stay as they are."""
    assert numbered(query) == (text, names, has_rows)


def test_rows_are_read_as_from_a_cursor() -> None:
    """Rows are read one by one, or what is left of them; without rows there is no first value."""
    rows = PostgresRows([{0: 1}.values(), {0: 2}.values()])
    assert (rows.fetchone(), rows.fetchall(), rows.fetchone()) == ((1,), [(2,)], None)
    assert (PostgresRows().get, list(PostgresRows()), PostgresRows().description) == (None, [], [])


def test_statements_of_a_connection(url: str) -> None:
    """A connection counts changed rows and names columns, with parameters by place or by name."""
    readers = PostgresReaders(PostgresSource(PostgresAddress.parse(url)), LoopThread("test"))
    with readers.changing() as connection:
        connection.execute("INSERT INTO budgets (account, period) VALUES (?, ?)", ("a", "total"))
        assert connection.changes() == 1
        update = "UPDATE budgets SET used_nano = :used WHERE account = :account"
        assert sql.changed(connection, update, {"account": "b", "used": 7}) == 0
        connection.bulk(
            "INSERT INTO budgets (account, period) SELECT * FROM unnest($1::text[], $2::text[])", [("c", "d")]
        )
        connection.script("UPDATE budgets SET used_nano = 3; UPDATE budgets SET held_nano = 4")
        assert sql.dicts(connection, "SELECT account, used_nano, held_nano FROM budgets ORDER BY account") == [
            {"account": "a", "used_nano": 3, "held_nano": 4},
            {"account": "c", "used_nano": 3, "held_nano": 4},
        ]
    readers.close()


async def test_statements_are_cached_without_a_pooler() -> None:
    """The first connection finds out that no pooler is between; later ones prepare their statements."""
    source = ScriptedSource(StandIn(), StandIn())
    await source.connect()
    await source.connect()
    assert source.cached == [False, True]


@pytest.mark.parametrize("answer", [2, asyncpg.DuplicatePreparedStatementError("it exists")], ids=["other", "exists"])
async def test_nothing_is_prepared_behind_a_pooler(answer: int | Exception) -> None:
    """A pooler shows by another server's process, or by a statement of another client; then no statement is cached."""
    behind = StandIn(answer=answer)
    source = ScriptedSource(StandIn(), behind, StandIn())
    await source.connect()
    await source.connect()
    assert (source.cached, behind.terminated) == ([False, True, False], True)


async def test_older_server_is_refused() -> None:
    """A server before version 15 is named with the version that is needed."""
    old = StandIn(version=14)
    with pytest.raises(LedgerUnavailable, match="is on PostgreSQL 14; the gateway needs version 15 or newer"):
        await ScriptedSource(old).connect()
    assert old.terminated


async def test_silent_server_is_given_up() -> None:
    """Work that takes too long ends its connection, and nothing more is asked of the server."""
    silent: Any = StandIn()
    with pytest.raises(TimeoutError):
        await limited(silent, asyncio.sleep(60), seconds=0.01)
    assert silent.terminated


def test_connection_has_no_inserted_rows_at_first() -> None:
    """A connection knows which rows its transaction inserted, none to begin with."""
    connection: Any = StandIn()
    assert PostgresConnection(connection, lambda work: None).inserted == []
