"""Rows that are priced again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import apsw
import pytest

from gateway.completion import Usage
from gateway.records import Repricing
from gateway.store import encoding, repricing, requests, rollup, sql
from gateway.store.mutations import InsertRequest
from gateway.store.process_lease import ProcessLease
from tests.store.cases import USAGE, begun, ended

AT = "2026-11-23T00:00:00.000000+00:00"


def read(connection: apsw.Connection, after: int = 0, since: str = "", limit: int = 10) -> list[Any]:
    return list(repricing.read(connection, after=after, since=since, limit=limit))


def twice_as_dear(connection: apsw.Connection, usage: Usage | None = USAGE) -> Repricing:
    (row,) = read(connection)
    return Repricing(
        before=row,
        price_version="new",
        usage=usage,
        evidence="modelled",
        actual_cost=Decimal("0.002"),
        baseline_cost=Decimal("0.008"),
        baseline_cost_low=Decimal("0.004"),
        baseline_cost_high=Decimal("0.016"),
        shadow_cost=Decimal("0.001"),
        attempts={} if usage is None else {1: (usage, Decimal("0.002"))},
    )


def rollup_differs(connection: apsw.Connection) -> bool:
    """Whether the rollup is anything else than the sum of the rows."""
    sums = ", ".join(f"total({name})" for name in rollup.MEASURES)
    stored = sql.tuples(connection, f"SELECT unit, {sums} FROM rollup GROUP BY unit ORDER BY unit")  # noqa: S608
    actual = sql.tuples(connection, f"SELECT unit, {sums} FROM rollup_rows GROUP BY unit ORDER BY unit")  # noqa: S608
    return [list(map(pytest.approx, row[1:])) for row in actual] != [list(row[1:]) for row in stored]


def test_closed_rows_are_read_with_their_attempts(connection: apsw.Connection, owner: ProcessLease) -> None:
    """Closed rows come page by page, oldest first, from a time on; open ones are left out."""
    requests.settle(connection, ended("a", baseline_usage={"prompt_tokens": 1}))
    requests.insert(connection, InsertRequest(begun("open")), owner=owner)
    requests.settle(connection, ended("b", timestamp="2026-11-23T10:00:00.000+00:00"))
    first, second = read(connection)
    assert (first.request_id, second.request_id) == ("a", "b")
    assert (first.usage, first.baseline_usage) == (dict(USAGE.raw), {"prompt_tokens": 1})
    (attempt,) = first.attempts
    assert (attempt.number, attempt.cost_nano, attempt.usage) == (1, 1_000_000, dict(USAGE.raw))
    assert [row.request_id for row in read(connection, limit=1)] == ["a"]
    assert [row.request_id for row in read(connection, after=first.id)] == ["b"]
    assert [row.request_id for row in read(connection, since="2026-11-23")] == ["b"]


def test_usage_of_other_tools_is_no_usage(connection: apsw.Connection) -> None:
    """What is no JSON object is read as none, and a missing time as an empty one."""
    requests.settle(connection, ended("a"))
    connection.execute("UPDATE routing_metrics SET usage = '[1]', baseline_usage = '?', timestamp = NULL")
    connection.execute("UPDATE attempts SET usage = NULL")
    assert read(connection) == []  # a row without a time is older than any time
    connection.execute("UPDATE routing_metrics SET timestamp = ''")
    (row,) = read(connection)
    assert (row.usage, row.baseline_usage, row.timestamp, row.attempts[0].usage) == (None, None, "", None)


def test_figures_are_replaced_and_the_old_ones_kept(connection: apsw.Connection) -> None:
    """Row and attempt get the new figures, `cost_history` the old ones, and the rollup stays the sum of the rows."""
    requests.settle(connection, ended("a", price_version="old"))
    new = twice_as_dear(connection, Usage(11, 21, 5, raw=USAGE.raw))
    assert repricing.apply(connection, [new], repriced=AT) == 1
    (row,) = sql.dicts(connection, sql.REQUEST, ("a",))
    assert (row["actual_cost"], row["actual_cost_nano"], row["price_version"]) == (0.002, 2_000_000, "new")
    assert (row["baseline_cost"], row["baseline_cost_low"], row["baseline_cost_high"]) == (0.008, 0.004, 0.016)
    assert (row["cost_savings"], row["savings_percentage"]) == (pytest.approx(0.006), pytest.approx(75))
    assert (row["shadow_cost"], row["shadow_cost_nano"], row["evidence"]) == (0.001, 1_000_000, "modelled")
    assert (row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"]) == (11, 21, 5)
    (attempt,) = sql.dicts(connection, sql.ATTEMPTS, {"request_id": "a"})
    assert (attempt["cost"], attempt["cost_nano"], attempt["prompt_tokens"]) == (0.002, 2_000_000, 11)
    (old,) = sql.dicts(connection, "SELECT * FROM cost_history")
    others = encoding.loads(old.pop("others"))
    assert old == {
        "request_id": "a",
        "repriced": AT,
        "price_version": "old",
        "actual_cost": 0.001,
        "actual_cost_nano": 1_000_000,
        "baseline_cost": 0.004,
        "baseline_cost_nano": 4_000_000,
        "baseline_cost_low": None,
        "baseline_cost_high": None,
    }
    assert (others["prompt_tokens"], others["evidence"], others["shadow_cost_nano"]) == (10, None, None)
    assert others["attempts"] == [{"number": 1, "cost_nano": 1_000_000, "prompt_tokens": 10, "completion_tokens": 20}]
    assert not rollup_differs(connection)


def test_tokens_stay_where_there_was_no_answer(connection: apsw.Connection) -> None:
    """Without a usage of the row its tokens stay."""
    requests.settle(connection, ended("a"))
    assert repricing.apply(connection, [twice_as_dear(connection, None)], repriced=AT) == 1
    (row,) = sql.dicts(connection, sql.REQUEST, ("a",))
    assert (row["prompt_tokens"], row["cached_tokens"]) == (10, 4)


def test_row_that_changed_meanwhile_is_left_alone(connection: apsw.Connection) -> None:
    """Figures that were computed from others than the row has now are not written: two runs at once change a row once."""
    requests.settle(connection, ended("a"))
    new = twice_as_dear(connection)
    assert repricing.apply(connection, [new, new], repriced=AT) == 1
    assert connection.execute("SELECT count(*) FROM cost_history").get == 1
    assert not rollup_differs(connection)


def test_pages_need_no_sorting(connection: apsw.Connection) -> None:
    """A page is found by its id: it neither reads nor sorts the rest of a large ledger."""
    query = "EXPLAIN QUERY PLAN " + sql.PRICED_ROWS
    plan = " ".join(row[3] for row in connection.execute(query, {"after": 1, "since": "", "limit": 5}))
    assert "PRIMARY KEY" in plan
    assert "TEMP B-TREE" not in plan
