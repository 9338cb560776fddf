"""The number of the schema, and its steps: all of them or none, by one of several starters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import SettleRequest
from gateway.store.opening import open_store
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import PostgresSource
from gateway.store.postgres.migrations import OLDEST_SCHEMA, SCHEMA, STEPS, Steps, migrate
from gateway.store.postgres.readers import LoopThread, PostgresReaders
from tests.postgres import drop_database, execute, new_database, rows
from tests.store.cases import ended

SCHEMAS = Path(__file__).with_name("schemas")
OBJECTS = {
    "columns": """
        SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "functions": """
        SELECT proname, pg_get_function_identity_arguments(oid), prosrc FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
}
ADDED = 'ALTER TABLE refusals ADD COLUMN region TEXT COLLATE "C"'
COUNTED = "INSERT INTO budgets (account, period, used_nano) VALUES ('steps', 'total', 1)"
HAS_COLUMN = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'refusals' AND column_name = 'region'"


@pytest.fixture
def empty() -> Iterator[str]:
    database = new_database(empty=True)
    yield database
    drop_database(database)


@pytest.fixture
def oldest(empty: str) -> str:
    """A database as the oldest version that can be upgraded left it."""
    execute(empty, (SCHEMAS / f"{OLDEST_SCHEMA}.sql").read_text())
    return empty


def upgrade(url: str, steps: Steps = STEPS) -> None:
    """What a start does, with other steps."""
    readers = PostgresReaders(PostgresSource(PostgresAddress.parse(url)), LoopThread("starter"))
    with closing(readers), readers.changing() as connection:
        migrate(connection, name="the test's", steps=steps)


def test_three_starters_make_the_tables_once(empty: str) -> None:
    """Gateways that start at once on a new database all end up with the same tables."""
    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(open_store, [empty] * 3))
    for number, store in enumerate(stores):
        store.submit(SettleRequest(ended(str(number)))).result()
        store.close()
    assert rows(empty, "SELECT version FROM schema_version") == [(SCHEMA,)]


def test_upgraded_database_is_like_a_new_one(oldest: str, url: str) -> None:
    """The steps from the oldest schema lead to the tables, indexes, functions and triggers that a new database has."""
    execute(oldest, "INSERT INTO budgets (account, period, used_nano) VALUES ('kept', 'total', 5)")
    with closing(open_store(oldest)) as store:
        store.submit(SettleRequest(ended("after"))).result()
        assert store.balance("kept", "total").used_nano == 5
    assert rows(oldest, "SELECT version FROM schema_version") == [(SCHEMA,)]
    for query in OBJECTS.values():
        assert rows(oldest, query) == rows(url, query)


def test_sums_are_taken_over(oldest: str) -> None:
    """After an upgrade the totals by hour and day are those of before, of pruned rows too, with what the new form adds up."""
    row = (
        "INSERT INTO routing_metrics (request_id, timestamp, status, prompt_tokens, cache_write_tokens) "
        "VALUES ('{}', '2026-11-22T10:00:00Z', 'ok', 5, 7)"
    )
    execute(
        oldest,
        row.format("one"),
        f"BEGIN; SET LOCAL gateway.shard = '3'; {row.format('two')}; COMMIT",
        "UPDATE rollup SET requests = requests + 10, prompt_tokens = prompt_tokens + 50 WHERE shard = 3",  # as after a prune
    )
    upgrade(oldest)
    sums = "SELECT unit, sum(requests), sum(prompt_tokens), sum(cache_write_tokens) FROM rollup GROUP BY unit ORDER BY unit"
    assert rows(oldest, sums) == [("day", 12, 60, 14), ("hour", 12, 60, 14)]
    execute(oldest, row.format("three"))
    assert rows(oldest, sums) == [("day", 13, 65, 21), ("hour", 13, 65, 21)]


@pytest.mark.parametrize("start", ["oldest", "url", "empty"])
def test_added_step_is_applied_once_by_three_starters(request: pytest.FixtureRequest, start: str) -> None:
    """Of three starters with one step more, one applies it, from the oldest schema, the newest one or a new database."""
    database = request.getfixturevalue(start)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgrade, [database] * 3, [{**STEPS, SCHEMA: (ADDED, COUNTED)}] * 3))
    assert rows(database, "SELECT version FROM schema_version") == [(SCHEMA + 1,)]
    assert rows(database, HAS_COLUMN) == [(1,)]
    assert rows(database, "SELECT count(*) FROM budgets") == [(1,)]


def test_failing_step_leaves_nothing(oldest: str) -> None:
    """Where a statement of a step fails, the steps before it are taken back too, for each of three starters."""
    before = {name: rows(oldest, query) for name, query in OBJECTS.items()}

    def refused(database: str) -> str:
        with pytest.raises(LedgerUnavailable) as raised:
            upgrade(database, {**STEPS, SCHEMA: (ADDED, COUNTED, "ALTER TABLE nowhere ADD COLUMN a TEXT")})
        return raised.value.message

    with ThreadPoolExecutor(3) as pool:
        messages = list(pool.map(refused, [oldest] * 3))
    assert all('relation "nowhere" does not exist' in message for message in messages)
    assert {name: rows(oldest, query) for name, query in OBJECTS.items()} == before
    assert rows(oldest, "SELECT version FROM schema_version") == [(OLDEST_SCHEMA,)]
    assert rows(oldest, "SELECT count(*) FROM budgets") == [(0,)]


def test_newer_schema_is_refused(url: str) -> None:
    """A database that a newer gateway has upgraded is left alone."""
    execute(url, "UPDATE schema_version SET version = version + 1")
    with pytest.raises(LedgerUnavailable, match=re.escape(f"knows up to {SCHEMA}: a newer version wrote it")):
        open_store(url)


def test_schema_of_a_development_version_is_refused(url: str) -> None:
    """A schema before the first step was never released: it is left as it is, and the message says how to bring its rows along."""
    execute(url, "UPDATE schema_version SET version = 15")
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
