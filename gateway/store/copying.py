"""Copies a ledger into another one, of the same kind of database or of the other.

The source is read in one snapshot, page by page in the order of each table's key. A copy that was interrupted is continued behind the
last key that the target has of each table. Rows of keys come first, so that a target that is only half copied is not open to everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.errors import LedgerUnavailable
from gateway.store import sql
from gateway.store.database_store import DatabaseStore
from gateway.store.ledger_tables import LedgerTable, ledger_tables
from gateway.store.opening import ledger_name, open_read_only, open_store

# Seconds for one query of a copy. Counting a hundred million rows takes minutes.
READ_TIMEOUT = 86_400.0
PAGE = 500
# Bodies of responses and checkpoints may have megabytes each, contents half of one.
_PAGES = {"responses": 5, "checkpoints": 5, "contents": 20}
# The probe is not a fact. Keys come first.
_NOT_COPIED = frozenset({"write_probe"})
_FIRST = ("admin_key", "virtual_keys")

# Called with the number of rows that were copied, or were there already.
Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class TableTotals:
    """A table after the copy. `spent_nano` is the sum of `actual_cost_nano` in nano-dollars, 0 for tables without that column."""

    name: str
    rows: int
    spent_nano: int


def copied_tables() -> Sequence[LedgerTable]:
    """The tables that a copy has. The rollup is last: triggers fill the target's, then it is replaced by the source's."""
    found = {table.name: table for table in ledger_tables() if table.name not in _NOT_COPIED}
    ends = [found.pop(name) for name in (*_FIRST, "rollup")]
    return (*ends[:-1], *found.values(), ends[-1])


class LedgerCopy:
    """A copy from `source` to `target`, both the path of a file or the URL of a PostgreSQL database."""

    def __init__(self, source: str, target: str, *, page: int = PAGE) -> None:
        self._source = source
        self._target = target
        self._page = page

    def count(self) -> int:
        """How many rows there are to copy. Raises LedgerUnavailable."""
        with closing(self._reader(self._source)) as store, store.reading() as connection:
            return sum(_count(connection, table) for table in copied_tables())

    def run(self, progress: Progress) -> Sequence[TableTotals]:
        """Copy what the target does not have, then compare counts and sums of both. A new target is created.

        Raises LedgerUnavailable when a ledger cannot be used, when the target has rows that the source does not have, and when the
        two differ afterwards.
        """
        with closing(self._reader(self._source)) as source, source.reading() as snapshot:
            with closing(open_store(self._target)) as target:
                done = self._already_there(snapshot)
                for table in copied_tables():
                    self._copy(table, snapshot, target, after=done.get(table.name), progress=progress)
            return self._compared(snapshot)

    def _reader(self, db: str) -> DatabaseStore:
        return open_read_only(db, read_timeout=READ_TIMEOUT)

    def _already_there(self, snapshot: sql.Connection) -> dict[str, tuple[Any, ...]]:
        """The last key of each table of the target that is not empty, apart from the rollup."""
        done = {}
        with closing(self._reader(self._target)) as store, store.reading() as connection:
            for table in copied_tables()[:-1]:
                last = _last_key(connection, table)
                if last is None:
                    continue
                if not _has(snapshot, table, last) or _count(connection, table) != _count(snapshot, table, to=last):
                    raise LedgerUnavailable(
                        f"The ledger {ledger_name(self._target)} has rows of {table.name} that are not those of "
                        f"{ledger_name(self._source)}: name an empty database or a new file. Nothing was copied."
                    )
                done[table.name] = last
        return done

    def _copy(
        self,
        table: LedgerTable,
        snapshot: sql.Connection,
        target: DatabaseStore,
        *,
        after: tuple[Any, ...] | None,
        progress: Progress,
    ) -> None:
        if after is not None:
            progress(_count(snapshot, table, to=after))
        if table.name == "rollup":
            target.apply(lambda connection: connection.execute("DELETE FROM rollup"))
        for rows in _pages(snapshot, table, after=after, size=min(self._page, _PAGES.get(table.name, self._page))):
            try:
                target.insert_rows(table, rows)
            except LedgerUnavailable:
                raise
            except Exception as error:
                # The database's message may quote what clients said.
                raise LedgerUnavailable(
                    f"A row of {table.name} with {', '.join(table.key)} from {_key(table, rows[0])} to {_key(table, rows[-1])} "
                    f"cannot be stored in {ledger_name(self._target)} ({type(error).__name__}): correct it in the source."
                ) from error
            progress(len(rows))

    def _compared(self, snapshot: sql.Connection) -> Sequence[TableTotals]:
        tables = []
        with closing(self._reader(self._target)) as store, store.reading() as connection:
            for table in copied_tables():
                totals = _totals(snapshot, table)
                if _totals(connection, table) != totals:
                    raise LedgerUnavailable(
                        f"The table {table.name} of {ledger_name(self._target)} differs from that of {ledger_name(self._source)}, "
                        "because one of them is in use or was changed between two copies: stop the gateways on both, and copy "
                        "into an empty database or a new file."
                    )
                tables.append(TableTotals(table.name, totals["count"], totals.get("actual_cost_nano", 0)))
        return tables


def _pages(
    connection: sql.Connection, table: LedgerTable, *, after: tuple[Any, ...] | None, size: int
) -> Iterator[list[tuple[Any, ...]]]:
    order = f"{table.grouping} ORDER BY {', '.join(table.key)} LIMIT {size}"
    places = [list(table.columns).index(column) for column in table.key]
    kinds = tuple(table.columns.values())
    while True:
        where, values = ("", ()) if after is None else (f" WHERE {_compared_key(table, '>')}", after)
        rows = [
            tuple(map(_as_kind, row, kinds)) for row in sql.tuples(connection, f"{table.rows}{where}{order}", values)
        ]
        if not rows:
            return
        yield rows
        after = tuple(rows[-1][place] for place in places)


def _as_kind(value: Any, kind: str) -> Any:
    """SQLite takes any value in any column, and PostgreSQL's sums are decimals."""
    if value is None:
        return None
    if kind == "TEXT":
        return str(value)
    if kind == "REAL":
        return float(value)
    return int(value) if isinstance(value, Decimal) else value


def _last_key(connection: sql.Connection, table: LedgerTable) -> tuple[Any, ...] | None:
    order = ", ".join(f"{column} DESC" for column in table.key)
    rows = sql.tuples(connection, f"SELECT {', '.join(table.key)} FROM {table.name} ORDER BY {order} LIMIT 1")  # noqa: S608 - constants
    return rows[0] if rows else None


def _has(connection: sql.Connection, table: LedgerTable, key: tuple[Any, ...]) -> bool:
    query = f"SELECT 1 FROM {table.name} WHERE {_compared_key(table, '=')}"  # noqa: S608 - constants
    return connection.execute(query, key).get is not None


def _count(connection: sql.Connection, table: LedgerTable, *, to: tuple[Any, ...] = ()) -> int:
    """The number of rows, up to a key where one is given."""
    where = f" WHERE {_compared_key(table, '<=')}" if to else ""
    rows = f"SELECT 1 FROM {table.name}{where}{table.grouping}"  # noqa: S608 - constants
    query = f"SELECT count(*) FROM ({rows}) AS rows"  # noqa: S608 - constants
    return int(connection.execute(query, to).get)


def _totals(connection: sql.Connection, table: LedgerTable) -> dict[str, int]:
    """The number of rows; for each column the sum of its integers, the length of its texts, or the count of its numbers."""
    sums = [f"{_sum(column, kind)} AS {column}" for column, kind in table.columns.items()]
    query = f"SELECT count(*) AS count, {', '.join(sums)} FROM ({table.rows}{table.grouping}) AS rows"  # noqa: S608 - constants
    names = ("count", *table.columns)
    return {name: int(value or 0) for name, value in zip(names, connection.execute(query).fetchall()[0], strict=True)}


def _sum(column: str, kind: str) -> str:
    return {"INTEGER": f"sum({column})", "REAL": f"count({column})"}.get(kind, f"sum(length({column}))")


def _compared_key(table: LedgerTable, operator: str) -> str:
    return f"({', '.join(table.key)}) {operator} ({', '.join('?' * len(table.key))})"


def _key(table: LedgerTable, row: Sequence[Any]) -> str:
    named = dict(zip(table.columns, row, strict=True))
    return ", ".join(str(named[column]) for column in table.key)
