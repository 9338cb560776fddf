"""The queries themselves."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from gateway.store.sql import Statement


def test_statement_binds_by_name() -> None:
    """A statement takes its named values in whatever order they come, and ignores others."""
    statement = Statement("SELECT :b, :a, :b")

    with closing(sqlite3.connect(":memory:")) as connection:
        assert statement.run(connection, {"a": 1, "b": 2, "c": 3}).fetchone() == (2, 1, 2)
