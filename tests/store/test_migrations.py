"""The ledger's tables and how a file comes to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.migrations import MIGRATIONS, migrate
from gateway.store.sql import tuples

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
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


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
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_gateways_starting_at_once_migrate_once(path: Path) -> None:
    """Gateways that start at once on a new file all find it migrated, once."""

    def start(_: int) -> int:
        with closing(connect(path)) as connection:
            migrate(connection)
            return int(connection.execute("PRAGMA user_version").get)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(start, range(16))) == {len(MIGRATIONS)}


def test_costs_are_never_negative() -> None:
    """A negative cost is refused by the table itself, whoever writes it."""
    with closing(connect(":memory:")) as connection:
        migrate(connection)

        with pytest.raises(apsw.ConstraintError):
            connection.execute("INSERT INTO routing_metrics (request_id, actual_cost_nano) VALUES ('r', -1)")
