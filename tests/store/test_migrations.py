"""The tables of the ledger, and the upgrade of older files."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.accounts.budgets import Balance
from gateway.errors import LedgerUnavailable
from gateway.records import Feedback
from gateway.store import InsertFeedback, InsertRequest, SettleRequest
from gateway.store.migrations import _STEPS, OLDEST_SCHEMA, SCHEMA, migrate
from gateway.store.sql import tuples
from gateway.store.sqlite import SqliteStore
from tests.store.cases import NOW, begun, ended

CONTRACT = [
    ("id", "INTEGER"),
    ("request_id", "TEXT"),
    ("timestamp", "TEXT"),
    ("strategy_used", "TEXT"),
    ("confidence", "TEXT"),
    ("selected_provider", "TEXT"),
    ("selected_model", "TEXT"),
    ("baseline_provider", "TEXT"),
    ("baseline_model", "TEXT"),
    ("baseline_cost", "REAL"),
    ("actual_cost", "REAL"),
    ("cost_savings", "REAL"),
    ("savings_percentage", "REAL"),
    ("pattern_detected", "TEXT"),
    ("complexity_score", "REAL"),
    ("experimental", "INTEGER"),
    ("fallback_used", "INTEGER"),
    ("fallback_reason", "TEXT"),
]


def connect(path: str | Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    return connection


def schema(connection: apsw.Connection) -> list[tuple[str, str]]:
    return tuples(connection, "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")


def test_contract_columns_come_first() -> None:
    """The columns that others read stand first, in their order and with their types."""
    with closing(connect(":memory:")) as connection:
        migrate(connection)
        columns = [(row[1], row[2]) for row in connection.execute("PRAGMA table_info(routing_metrics)")]
        created = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'routing_metrics'").get

    assert columns[: len(CONTRACT)] == CONTRACT
    assert "id INTEGER PRIMARY KEY AUTOINCREMENT" in created


def test_indexes_of_the_contract_exist() -> None:
    """Timestamp, strategy and confidence are indexed, and a request id is there once."""
    with closing(connect(":memory:")) as connection:
        migrate(connection)
        indexes = {
            tuple(column[2] for column in connection.execute(f"PRAGMA index_info({row[1]})")): bool(row[2])
            for row in connection.execute("PRAGMA index_list(routing_metrics)")
        }

    assert {("timestamp",), ("strategy_used",), ("confidence",)} <= indexes.keys()
    assert indexes["request_id",] is True


def test_second_run_changes_nothing() -> None:
    """Migrations can run twice, also when the version number was lost."""
    with closing(connect(":memory:")) as connection:
        migrate(connection)
        before = schema(connection)
        connection.execute("INSERT INTO routing_metrics (request_id) VALUES ('kept')")
        migrate(connection)
        connection.execute("PRAGMA user_version = 0")
        migrate(connection)

        assert schema(connection) == before
        assert connection.execute("SELECT count(*) FROM routing_metrics").fetchone() == (1,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)


@pytest.fixture
def schema_10(path: Path) -> Path:
    """A ledger that the code of schema 10 wrote: a settled, a failed and an open request, feedback, keys and a checkpoint."""
    path.write_bytes(gzip.decompress((Path(__file__).parent / "ledger_schema_10.db.gz").read_bytes()))
    return path


def test_ledger_of_schema_10_is_upgraded(schema_10: Path) -> None:
    """An older file gets the columns, indexes, triggers and views of a new one."""
    with closing(connect(schema_10)) as connection, closing(connect(":memory:")) as new:
        migrate(connection)
        migrate(new)

        names = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"
        assert tuples(connection, names) == tuples(new, names)
        for (table,) in tuples(new, "SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = 'SELECT cid, name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)'
            assert tuples(connection, columns, (table,)) == tuples(new, columns, (table,))


def test_ledger_of_schema_10_reads_and_writes(schema_10: Path) -> None:
    """Rows, rollup, keys, budgets and checkpoints of an older file are read, and go on from there."""
    with closing(SqliteStore(schema_10, now=lambda: NOW)) as ledger:
        assert ledger.close_orphans(now="2026-11-22T11:00:00Z") == 1
        ledger.submit(InsertRequest(begun("new"))).result()
        ledger.submit(SettleRequest(ended("new"))).result()
        ledger.submit(InsertFeedback(Feedback("new", 1.0, "2026-11-22T10:02:00Z"))).result()

        assert [row["status"] for row in ledger.requests()] == ["ok", "interrupted", "error", "ok"]
        assert [row["total_requests"] for row in ledger.timeline(days=1)] == [4]
        summary = ledger.summary(days=1)
        assert (summary["total_cost"], summary["feedback_count"]) == (pytest.approx(0.003), 2)
        assert [key.name for key in ledger.virtual_keys()] == ["team"]
        assert ledger.admin_key() is not None
        assert ledger.balance("k1", "day 2026-11-22T00") == Balance(used_nano=1_000_000)
        assert [outcome.source for outcome in ledger.outcomes()] == ["feedback", "outcome", "feedback"]
        (checkpoint,) = ledger.states()
        assert ledger.state_body(checkpoint.id) == b"body"


def test_ledger_of_schema_16_keeps_its_sums(path: Path) -> None:
    """The rollup takes over the sums, those of a pruned row too; only writes to caches are added up from the rows that are left."""
    path.write_bytes(gzip.decompress((Path(__file__).parent / "ledger_schema_16.db.gz").read_bytes()))
    with closing(connect(path)) as connection, closing(connect(":memory:")) as new:
        migrate(connection)
        migrate(new)
        names = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT IN ('routing_metrics', 'outcomes', 'virtual_keys') ORDER BY type, name"
        assert tuples(connection, names) == tuples(new, names)
        sums = "SELECT sum(requests), sum(cost_nano), sum(cache_write_tokens), sum(lost_nano) FROM rollup WHERE unit = 'day'"
        assert connection.execute(sums).fetchone() == (4, 4_000_000, 100, 0)
        connection.execute("UPDATE routing_metrics SET cache_missed_tokens = 5 WHERE request_id = 'missed'")
        misses = "SELECT cache_miss, total(requests) FROM rollup WHERE unit = 'day' GROUP BY 1 ORDER BY 1"
        assert tuples(connection, misses) == [("", 3), ("switched_model", 1)]


def test_old_words_of_evidence_are_replaced() -> None:
    """What schema 13 called `same_usage` or `estimated` is `modelled`, or `unknown` without a cost, in the rollup too."""
    old = [("exact", 1.0), ("same_usage", 1.0), ("estimated", 2.0), ("estimated", None), (None, None)]
    with closing(connect(":memory:")) as connection:
        migrate(connection)
        connection.executemany("INSERT INTO routing_metrics (evidence, baseline_cost) VALUES (?, ?)", old)
        for statement in _STEPS[14]:
            if not statement.startswith("ALTER"):  # the columns are there
                connection.execute(statement)

        evidence = [word for (word,) in connection.execute("SELECT evidence FROM routing_metrics ORDER BY id")]
        assert evidence == ["exact", "modelled", "modelled", "unknown", None]
        sums = tuples(connection, "SELECT evidence, requests FROM rollup WHERE unit = 'day' ORDER BY evidence")
        assert sums == [("", 1), ("exact", 1), ("modelled", 2), ("unknown", 1)]


def test_schema_of_a_development_version_is_refused() -> None:
    """A file older than the oldest supported schema stays as it is, and the message says what to do."""
    with closing(connect(":memory:")) as connection:
        connection.execute(f"PRAGMA user_version = {OLDEST_SCHEMA - 1}")

        with pytest.raises(LedgerUnavailable, match=r"schema 9 of a development version.*GATEWAY_DB"):
            migrate(connection)


def test_newer_schema_is_refused() -> None:
    """A file that a newer gateway wrote is left alone, and the message says what to do."""
    with closing(connect(":memory:")) as connection:
        connection.execute("PRAGMA user_version = 99")

        with pytest.raises(LedgerUnavailable, match=r"schema 99.*newer version.*GATEWAY_DB"):
            migrate(connection)


def test_interrupted_migration_leaves_nothing(path: Path) -> None:
    """A migration that fails half-way leaves the file as it was, and the next run completes it."""
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE routing_metrics_timestamp (something)")
        before = schema(connection)

        with pytest.raises(apsw.SQLError):
            migrate(connection)

        assert schema(connection) == before
        assert not connection.in_transaction
        connection.execute("DROP TABLE routing_metrics_timestamp")
        migrate(connection)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)


def test_gateways_starting_at_once_migrate_once(path: Path) -> None:
    """Gateways that start at once on a new file all find it migrated, once."""

    def start(_: int) -> int:
        with closing(connect(path)) as connection:
            migrate(connection)
            return int(connection.execute("PRAGMA user_version").get)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(start, range(16))) == {SCHEMA}


def test_costs_are_never_negative() -> None:
    """A negative cost is refused by the table itself, whoever writes it."""
    with closing(connect(":memory:")) as connection:
        migrate(connection)

        with pytest.raises(apsw.ConstraintError):
            connection.execute("INSERT INTO routing_metrics (request_id, actual_cost_nano) VALUES ('r', -1)")
