"""SQL statements and the functions that run them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.store.connection import DatabaseFile
from gateway.store.sql import INSERT_REQUEST, SETTLE_COMPLETE, UPSERT_ATTEMPT, changed, dicts, requests


def test_changed_reports_the_last_statement_only() -> None:
    """A statement that changes no row returns 0, also after one that changed a row."""
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute("CREATE TABLE facts (x UNIQUE)")
        insert = "INSERT INTO facts VALUES (?) ON CONFLICT DO NOTHING"

        assert [changed(connection, insert, (1,)), changed(connection, insert, (1,))] == [1, 0]


def test_dicts() -> None:
    """All rows of a query are dictionaries by column name."""
    with closing(apsw.Connection(":memory:")) as connection:
        query = "SELECT column1 AS a, column2 AS b FROM (VALUES (1, 2), (3, 4)) WHERE a > :least"

        assert dicts(connection, query, {"least": 0}) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
        assert dicts(connection, query, {"least": 3}) == []


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"session_id": "s"}, "routing_metrics_session"),
        ({"key_id": "k", "estimated": 1}, "routing_metrics_key"),
        ({"status": "error"}, "routing_metrics_troubled"),
    ],
)
def test_filters_use_an_index(tmp_path: Path, filters: dict[str, object], index: str) -> None:
    """Rows of a session, of a key and with an error are found through an index, newest first, however large the ledger is."""
    with closing(DatabaseFile(tmp_path / "gateway.db").open()) as connection:
        query = "EXPLAIN QUERY PLAN " + requests(filters, before=7)
        plan = " ".join(row[3] for row in connection.execute(query, {**filters, "before": 7, "limit": 5}))

    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    "query",
    [INSERT_REQUEST, SETTLE_COMPLETE, UPSERT_ATTEMPT, "SELECT * FROM rollup_rows WHERE id = ?"],
    ids=["insert", "settle", "attempt", "trigger"],
)
def test_commits_build_no_temporary_table(tmp_path: Path, query: str) -> None:
    """No statement of a commit builds a temporary table, which would take longer than the rest of the commit."""
    with closing(DatabaseFile(tmp_path / "gateway.db").open()) as connection:
        steps = connection.execute("EXPLAIN " + query, [None] * query.count("?")).fetchall()

    assert {"OpenEphemeral", "OpenAutoindex"}.isdisjoint(step[1] for step in steps)


def test_no_filter_no_condition() -> None:
    """Without filters there is no condition."""
    assert "WHERE" not in requests({}, before=None)
    assert requests({"status": "ok"}, before=None).count("status") == requests({}, before=None).count("status") + 2
