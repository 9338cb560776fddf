"""The queries themselves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.connection import Source
from gateway.store.sql import Statement, requests


def test_statement_binds_by_name() -> None:
    """A statement takes its named values in whatever order they come, and ignores others."""
    statement = Statement("SELECT :b, :a, :b")

    with closing(sqlite3.connect(":memory:")) as connection:
        assert statement.run(connection, {"a": 1, "b": 2, "c": 3}).fetchone() == (2, 1, 2)


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"session_id": "s"}, "routing_metrics_session"),
        ({"key_id": "k", "estimated": 1}, "routing_metrics_key"),
        ({"status": "error"}, "routing_metrics_troubled"),
    ],
)
def test_few_rows_are_found_without_reading_all(tmp_path: Path, filters: dict[str, object], index: str) -> None:
    """A session's, a key's and the troubled rows are found by index, newest first, however long the ledger is."""
    with closing(Source(tmp_path / "gateway.db").open()) as connection:
        query = "EXPLAIN QUERY PLAN " + requests(filters, before=7)
        plan = " ".join(row[3] for row in connection.execute(query, {**filters, "before": 7, "limit": 5}))

    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_all_rows() -> None:
    """Without filters there is no condition."""
    assert "WHERE" not in requests({}, before=None)
    assert requests({"status": "ok"}, before=None).count("status") == requests({}, before=None).count("status") + 2
