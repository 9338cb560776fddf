"""The columns and keys of the ledger's tables, read from their definitions, for work that treats all tables alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache

import apsw

from gateway.store import rollup, tables


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """A table with the kind of each column (`INTEGER`, `REAL`, `TEXT`, `BLOB`) and the columns of its primary key."""

    name: str
    columns: Mapping[str, str]
    key: Sequence[str]

    @property
    def rows(self) -> str:
        """The query for all rows. The rollup's are added up, because replicas write to shards of their own."""
        if self.name != "rollup":
            return f"SELECT {', '.join(self.columns)} FROM {self.name}"  # noqa: S608 - constants
        sums = (f"sum({measure}) AS {measure}" for measure in rollup.MEASURES)
        return f"SELECT {', '.join((*self.key, *sums))} FROM rollup"  # noqa: S608 - constants

    @property
    def grouping(self) -> str:
        return f" GROUP BY {', '.join(self.key)}" if self.name == "rollup" else ""


@cache
def ledger_tables() -> Sequence[LedgerTable]:
    """All tables, in the order of their definitions."""
    with closing(apsw.Connection(":memory:")) as connection:
        for statement in tables.TABLES:
            connection.execute(statement)
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return tuple(_table(connection, str(name)) for (name,) in names.fetchall())


def _table(connection: apsw.Connection, name: str) -> LedgerTable:
    found = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
    key = sorted((place, str(column)) for column, _, place in found if place)
    return LedgerTable(name, {str(column): str(kind) for column, kind, _ in found}, tuple(column for _, column in key))
