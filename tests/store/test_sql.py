"""The queries themselves."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.store.connection import DatabaseFile
from gateway.store.sql import ADD, ATTEMPT, BEGIN, FACTS, SETTLE_COUNTED, changed, found, requests


def test_changed_reports_the_last_statement_only() -> None:
    """A statement that found nothing to change says so, whatever the one before it did."""
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute("CREATE TABLE facts (x UNIQUE)")
        insert = "INSERT INTO facts VALUES (?) ON CONFLICT DO NOTHING"

        assert [changed(connection, insert, (1,)), changed(connection, insert, (1,))] == [1, 0]


def test_query_results_are_named_by_their_columns() -> None:
    """What a query finds is told by the names of its columns, all rows of it."""
    with closing(apsw.Connection(":memory:")) as connection:
        query = "SELECT column1 AS a, column2 AS b FROM (VALUES (1, 2), (3, 4)) WHERE a > :least"

        assert found(connection, query, {"least": 0}) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
        assert found(connection, query, {"least": 3}) == []


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
    with closing(DatabaseFile(tmp_path / "gateway.db").open()) as connection:
        query = "EXPLAIN QUERY PLAN " + requests(filters, before=7)
        plan = " ".join(row[3] for row in connection.execute(query, {**filters, "before": 7, "limit": 5}))

    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    "query",
    [BEGIN, SETTLE_COUNTED, ATTEMPT, FACTS, ADD, "SELECT * FROM row_facts WHERE id = ?"],
    ids=["begin", "settle", "attempt", "facts", "add", "trigger"],
)
def test_commit_statements_use_no_temporary_table(tmp_path: Path, query: str) -> None:
    """What each commit runs sets no table up in memory, which takes longer than all the rest of it."""
    with closing(DatabaseFile(tmp_path / "gateway.db").open()) as connection:
        steps = connection.execute("EXPLAIN " + query, [None] * query.count("?")).fetchall()

    assert {"OpenEphemeral", "OpenAutoindex"}.isdisjoint(step[1] for step in steps)


def test_no_filter_means_no_condition() -> None:
    """Without filters there is no condition."""
    assert "WHERE" not in requests({}, before=None)
    assert requests({"status": "ok"}, before=None).count("status") == requests({}, before=None).count("status") + 2
