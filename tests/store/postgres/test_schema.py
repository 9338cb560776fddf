"""The tables in PostgreSQL, and several gateways that make them at once."""

from __future__ import annotations

from contextlib import closing

import apsw
import pytest

from gateway.store import InsertRequest, SettleRequest, sql
from gateway.store.migrations import migrate
from gateway.store.postgres.connection import numbered
from gateway.store.postgres.schema import array_types
from tests.postgres import execute, rows
from tests.store.cases import begun, ended
from tests.store.postgres.conftest import MakeStore

COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_name = '{}' AND table_schema = 'public' AND column_name <> 'shard' ORDER BY ordinal_position"""
TYPES = {"INTEGER": "bigint", "REAL": "double precision", "TEXT": "text", "BLOB": "bytea"}


def test_tables_are_those_of_sqlite(url: str) -> None:
    """Every table of SQLite has the same columns, in the same order, in PostgreSQL."""
    with closing(apsw.Connection(":memory:")) as connection:
        migrate(connection)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in names:
            if not table.startswith("sqlite_"):
                columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
                assert rows(url, COLUMNS.format(table)) == [(name, TYPES[str(kind)]) for name, kind in columns]


def test_rollup_follows_changes_by_other_tools(url: str, make_store: MakeStore) -> None:
    """Rows that another tool inserts, changes and deletes are in the totals of every replica."""
    store = make_store()
    store.submit(InsertRequest(begun("open"))).result()
    store.submit(SettleRequest(ended("ours"))).result()
    execute(url, "INSERT INTO routing_metrics (request_id, timestamp, status) VALUES ('theirs', 'yesterday', 'ok')")
    assert rows(url, "SELECT unit, bucket, sum(requests) FROM rollup GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("day", "0", 1), ("day", "2026-11-22", 1), ("hour", "0", 1), ("hour", "2026-11-22T10", 1),
    ]  # fmt: skip
    execute(
        url, "UPDATE routing_metrics SET prompt_tokens = 5", "DELETE FROM routing_metrics WHERE request_id = 'theirs'"
    )
    assert rows(url, "SELECT sum(requests), sum(prompt_tokens) FROM rollup WHERE unit = 'day'") == [(1, 5)]


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"session_id": "s"}, "routing_metrics_session"),
        ({"key_id": "k"}, "routing_metrics_key"),
        ({"status": "error"}, "routing_metrics_troubled"),
    ],
)
def test_filters_use_an_index(make_store: MakeStore, filters: dict[str, object], index: str) -> None:
    """Rows of a session, of a key and with an error are found through an index, newest first, without sorting."""
    query = "EXPLAIN " + sql.requests(filters, before=None)
    with make_store()._pool.reading() as connection:
        connection.script("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        values = [{**filters, "limit": 5}[name] for name in numbered(query).names]
        plan = str(connection._run(connection.driver.fetch(numbered(query).text, *values)))
    assert index in plan
    assert "Sort" not in plan


def test_types_of_bulk_parameters() -> None:
    """Each column's parameter is an array of its type."""
    types = array_types("routing_metrics")
    assert (types["id"], types["request_id"], types["actual_cost"]) == ("bigint[]", "text[]", "float8[]")
