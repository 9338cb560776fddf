"""The tables in PostgreSQL, and several gateways that make them at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import apsw
import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import InsertRequest, SettleRequest, sql
from gateway.store.migrations import SCHEMA, migrate
from gateway.store.opening import open_store
from gateway.store.postgres.connection import numbered
from gateway.store.postgres.schema import array_types
from tests.postgres import drop_database, execute, new_database, rows
from tests.store.cases import begun, ended
from tests.store.postgres.conftest import MakeStore

COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_name = '{}' AND table_schema = 'public' AND column_name <> 'shard' ORDER BY ordinal_position"""
TYPES = {"INTEGER": "bigint", "REAL": "double precision", "TEXT": "text", "BLOB": "bytea"}


@pytest.fixture
def empty() -> Iterator[str]:
    database = new_database(empty=True)
    yield database
    drop_database(database)


def test_tables_are_those_of_sqlite(url: str) -> None:
    """Every table of SQLite has the same columns, in the same order, in PostgreSQL."""
    with closing(apsw.Connection(":memory:")) as connection:
        migrate(connection)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in names:
            if not table.startswith("sqlite_"):
                columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
                assert rows(url, COLUMNS.format(table)) == [(name, TYPES[str(kind)]) for name, kind in columns]


def test_three_starters_make_the_tables_once(empty: str) -> None:
    """Gateways that start at once on a new database all end up with the same tables."""
    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(open_store, [empty] * 3))
    for number, store in enumerate(stores):
        store.submit(SettleRequest(ended(str(number)))).result()
        store.close()
    assert rows(empty, "SELECT version FROM schema_version") == [(SCHEMA,)]


def test_newer_schema_is_refused(url: str) -> None:
    """A database that a newer gateway has upgraded is left alone."""
    execute(url, "UPDATE schema_version SET version = version + 1")
    with pytest.raises(LedgerUnavailable, match=re.escape(f"knows up to {SCHEMA}: a newer version wrote it")):
        open_store(url)


def test_schema_of_a_development_version_is_refused(url: str) -> None:
    """An older schema was never released: it is left as it is, and the message says how to bring its rows along."""
    execute(url, "UPDATE schema_version SET version = version - 1")
    with pytest.raises(LedgerUnavailable, match=r"of a development version.*gateway db copy"):
        open_store(url)


def test_user_who_may_not_create_tables_is_told(empty: str) -> None:
    """Without the right to create tables nothing is half-made, and the message says what to grant."""
    role = "reader_" + urlsplit(empty).path.rpartition("_")[2]
    execute(empty, f"CREATE ROLE {role} LOGIN")
    try:
        with pytest.raises(LedgerUnavailable, match="GRANT it CONNECT on the database and CREATE on its schema"):
            open_store(re.sub("//[^@]*@", f"//{role}@", empty))
    finally:
        execute(empty, f"DROP ROLE {role}")
    assert rows(empty, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == [(0,)]


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
