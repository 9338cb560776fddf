"""Connections to PostgreSQL that threads use like those of SQLite: a call returns when the database has answered.

Each connection belongs to one event loop; `run` brings a coroutine into it and waits.
"""

from __future__ import annotations

import asyncio
import math
import re
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import asyncpg

from gateway.errors import LedgerUnavailable
from gateway.store.postgres.address import PostgresAddress

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop  # a statement takes a third less of the processor

__all__ = ["PostgresConnection", "PostgresRows", "PostgresSource", "limited", "new_event_loop", "numbered"]

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]

OLDEST_VERSION = 15
CONNECT_TIMEOUT = 5.0
_CACHED_STATEMENTS = 200
_PARAMETER = re.compile(r"'(?:[^']|'')*'|::|:(?P<name>[a-z_0-9]+)|(?P<next>\?)")
_ROWS = re.compile(r"^\s*(SELECT|WITH)\b|\bRETURNING\b", re.IGNORECASE)


class Statement(NamedTuple):
    """A query in PostgreSQL's form. `names` are the values of `:name` parameters in order; empty for `?` or none."""

    text: str
    names: tuple[str, ...]
    has_rows: bool


@lru_cache(maxsize=1_000)
def numbered(query: str) -> Statement:
    """The query with `$1`, `$2` instead of `?` or `:name`; a name that occurs again is the same parameter."""
    names: list[str] = []
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        if found["next"]:
            count += 1
            return f"${count}"
        if found["name"] is None:
            return found[0]
        if found["name"] not in names:
            names.append(found["name"])
        return f"${names.index(found['name']) + 1}"

    text = _PARAMETER.sub(number, query)
    return Statement(text, tuple(names), _ROWS.search(query) is not None)


class PostgresRows:
    """The rows that a statement returned, as apsw's cursor gives them."""

    def __init__(self, records: Sequence[Any] = ()) -> None:
        self._records = records
        self._rest = iter(records)

    @property
    def get(self) -> Any:
        return self._records[0][0] if self._records else None

    @property
    def description(self) -> Sequence[Sequence[Any]]:
        return [(name,) for name in self._records[0].keys()] if self._records else []  # noqa: SIM118 - a record is no mapping

    def fetchone(self) -> Any:
        record = next(self._rest, None)
        return None if record is None else tuple(record)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [tuple(record) for record in self._rest]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class PostgresConnection:
    """`gateway.store.sql.Connection` on PostgreSQL. `clock` is monotonic seconds.

    A statement takes at most `statement_seconds`, and ends at `deadline` by the clock. What is not answered by then raises TimeoutError
    and closes the connection: a server that was stopped, or cut off, does not end a statement itself.
    """

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        run: Run,
        *,
        statement_seconds: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.driver = connection
        self.statement_seconds = statement_seconds
        self.deadline = math.inf
        self._run_in_loop = run
        self._clock = clock
        self._changes = 0
        # Of the current transaction: the ids of the rows that it inserted, and whether its commit waits for the disk.
        self.inserted: list[str] = []
        self.waits_for_disk = True

    def execute(self, statements: str, bindings: Any = (), /) -> PostgresRows:
        statement = numbered(statements)
        values = [bindings[name] for name in statement.names] if isinstance(bindings, Mapping) else bindings
        return self._send(statement, values)

    def changes(self) -> int:
        return self._changes

    def bulk(self, query: str, rows: Sequence[Sequence[Any]]) -> PostgresRows:
        """Run a statement on many rows at once; its parameters are arrays, one per column. `changes` counts the rows."""
        return self._send(Statement(query, (), _ROWS.search(query) is not None), list(zip(*rows, strict=True)))

    def script(self, statements: str) -> None:
        """Run statements without parameters, in one message."""
        self._run(self.driver.execute(statements))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        seconds = min(self.statement_seconds, max(0.0, self.deadline - self._clock()))
        return self._run_in_loop(limited(self.driver, work, seconds=None if seconds == math.inf else seconds))

    def _send(self, statement: Statement, values: Sequence[Any]) -> PostgresRows:
        if statement.has_rows:
            records = self._run(self.driver.fetch(statement.text, *values))
            self._changes = len(records)
            return PostgresRows(records)
        status: str = self._run(self.driver.execute(statement.text, *values))
        count = status.rpartition(" ")[2]
        self._changes = int(count) if count.isdigit() else 0
        return PostgresRows()


async def limited(driver: asyncpg.Connection[Any], work: Coroutine[Any, Any, T], *, seconds: float | None) -> T:
    """What comes of work on a connection. Raises TimeoutError, and then the connection is closed. None sets no limit.

    Cancelling the work instead would make asyncpg ask the server to end it, over a new connection that may wait as long.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            driver.terminate()
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    if not done:
        raise TimeoutError
    return task.result()


class PostgresSource:
    """Opens connections to one database.

    A pooler between (PgBouncer in transaction mode) gives each transaction another server, which does not know the statements that
    were prepared before. It is recognised by the id of the server's process; nothing is prepared then.
    """

    def __init__(self, address: PostgresAddress) -> None:
        self.address = address
        self._direct = False

    async def connect(self) -> asyncpg.Connection[Any]:
        """A new connection, within CONNECT_TIMEOUT. Raises what asyncpg raises, TimeoutError, or LedgerUnavailable for an older server."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await self._connect()

    @property
    def is_direct(self) -> bool:
        """Whether no pooler was between at the last `connect`."""
        return self._direct

    async def _connect(self) -> asyncpg.Connection[Any]:
        connection = await self._open(cached_statements=_CACHED_STATEMENTS if self._direct else 0)
        was_direct = self._direct
        try:
            self._direct = await _is_direct(connection)
            version = connection.get_server_version().major
            if version < OLDEST_VERSION:
                raise LedgerUnavailable(
                    f"The ledger {self.address.name} is on PostgreSQL {version}; the gateway needs version {OLDEST_VERSION} or newer."
                )
        except BaseException:
            connection.terminate()
            raise
        if was_direct and not self._direct:
            connection.terminate()
            return await self._open(cached_statements=0)
        return connection

    async def _open(self, *, cached_statements: int) -> asyncpg.Connection[Any]:
        return await asyncpg.connect(self.address.url, timeout=CONNECT_TIMEOUT, statement_cache_size=cached_statements)


async def _is_direct(connection: asyncpg.Connection[Any]) -> bool:
    """Whether no pooler is between."""
    try:
        answer = await connection.fetchval("SELECT pg_backend_pid()")
    except asyncpg.DuplicatePreparedStatementError:
        return False
    return bool(answer == connection.get_server_pid())
