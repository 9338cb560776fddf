"""The rollup agrees with the rows, whoever changes them."""

from __future__ import annotations

import apsw

from gateway.store import InsertRequest, SettleRequest, requests
from gateway.store.batch import apply_batch
from gateway.store.process_lease import ProcessLease
from tests.store.cases import begun, ended


def test_rollup_follows_changes_by_other_tools(connection: apsw.Connection, owner: ProcessLease) -> None:
    """The rollup follows a row that was settled in a batch when another tool changes or deletes it."""
    apply_batch(connection, [InsertRequest(begun("a")), InsertRequest(begun("b"))], owner=owner)
    apply_batch(connection, [SettleRequest(ended("a")), SettleRequest(ended("b"))], owner=owner)
    total = "SELECT sum(requests), sum(cost_nano) FROM rollup WHERE unit = 'day'"

    connection.execute("UPDATE routing_metrics SET actual_cost_nano = 5 WHERE request_id = 'a'")
    assert connection.execute(total).fetchone() == (2, 1_000_005)
    connection.execute("UPDATE routing_metrics SET status = 'open' WHERE request_id = 'a'")
    assert connection.execute(total).fetchone() == (1, 1_000_000)
    requests.settle(connection, ended("a"))
    assert connection.execute(total).fetchone() == (2, 2_000_000)
    connection.execute("DELETE FROM routing_metrics")
    assert connection.execute(total).fetchone() == (0, 0)


def test_rollup_uses_the_row_as_it_is_when_settled(connection: apsw.Connection, owner: ProcessLease) -> None:
    """The rollup counts a row with the values it has when it is settled, not when it was inserted."""
    apply_batch(connection, [InsertRequest(begun("a"))], owner=owner)
    connection.execute("UPDATE routing_metrics SET timestamp = '2025-01-02T03:04:05Z'")

    apply_batch(connection, [SettleRequest(ended("a"))], owner=owner)

    found = connection.execute("SELECT bucket FROM rollup ORDER BY bucket").fetchall()
    assert found == [("2025-01-02",), ("2025-01-02T03",)]


def test_rollup_agrees_with_the_rows(connection: apsw.Connection, owner: ProcessLease) -> None:
    """Each closed row counts once in its hour and once in its day, whether it was settled in a batch or alone."""
    apply_batch(connection, [InsertRequest(begun("a")), InsertRequest(begun("b"))], owner=owner)
    apply_batch(connection, [SettleRequest(ended("a")), SettleRequest(ended("b", status="error"))], owner=owner)
    requests.settle(connection, ended("c", timestamp="2026-11-22T11:00:00Z"))

    columns = "unit, bucket, total(requests), total(errors), total(cost_nano)"
    by_rollup = connection.execute(f"SELECT {columns} FROM rollup GROUP BY unit, bucket").fetchall()  # noqa: S608
    by_rows = connection.execute(f"SELECT {columns} FROM rollup_rows GROUP BY unit, bucket").fetchall()  # noqa: S608
    assert by_rollup == by_rows
    assert by_rows == [
        ("day", "2026-11-22", 3, 1, 3_000_000),
        ("hour", "2026-11-22T10", 2, 1, 2_000_000),
        ("hour", "2026-11-22T11", 1, 0, 1_000_000),
    ]
