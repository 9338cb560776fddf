"""Sums for the report, over any period."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.records import Feedback
from gateway.store import InsertFeedback, SettleRequest
from gateway.store.connection import DatabaseFile
from gateway.store.report_groups import report_groups_by
from gateway.store.sqlite import SqliteStore
from tests.store.cases import NOW, ended

START = datetime(2026, 11, 17, 22, 15, tzinfo=UTC)
HOURS = 100


def filled(ledger: SqliteStore, *, count: int = 60) -> list[datetime]:
    """Rows at random times; each costs 1 mUSD and would have cost 4 mUSD."""
    draw = random.Random(1)
    times = [START + timedelta(minutes=draw.uniform(0, 60 * HOURS)) for _ in range(count)]
    for number, at in enumerate(times):
        row = ended(f"r{number}", timestamp=at.isoformat(timespec="milliseconds"), key_id=f"k{number % 2}")
        ledger.submit(SettleRequest(row)).result()
    return times


BOUNDS = [
    (None, None),
    (START + timedelta(hours=7, minutes=20), None),
    (None, START + timedelta(hours=55, minutes=5)),
    (START + timedelta(hours=3), START + timedelta(hours=80, minutes=30)),
    (START + timedelta(hours=20), START + timedelta(hours=23)),
    (START + timedelta(hours=40, minutes=46), START + timedelta(hours=40, minutes=59)),
    (START + timedelta(hours=1, minutes=45), START + timedelta(hours=1, minutes=45)),
]


@pytest.mark.parametrize(("since", "until"), BOUNDS)
def test_a_period_counts_each_row_in_it_once(
    ledger: SqliteStore, since: datetime | None, until: datetime | None
) -> None:
    """Whatever days and hours the bounds cut, the sums are those of the rows between them."""
    times = filled(ledger)
    wanted = [at for at in times if (since is None or at >= since) and (until is None or at < until)]
    groups = ledger.report_groups(since=since, until=until, key_id=None)
    assert sum(group["requests"] for group in groups) == len(wanted)
    assert sum(group["spent_usd"] for group in groups) == pytest.approx(0.001 * len(wanted))
    assert sum(group["baseline_usd"] for group in groups) == pytest.approx(0.004 * len(wanted))
    days = ledger.report_days(since=since, until=until, filters={})
    assert {day["bucket"] for day in days} == {f"{at:%Y-%m-%d}" for at in wanted}
    assert sum(day["requests"] for day in days) == len(wanted)


def test_a_key_has_its_own_sums(ledger: SqliteStore) -> None:
    """With a key id only its rows count."""
    filled(ledger, count=11)
    groups = ledger.report_groups(since=None, until=None, key_id="k1")
    assert sum(group["requests"] for group in groups) == 5
    assert {group["key_id"] for group in groups} == {"k1"}


def test_rows_without_a_baseline_are_spent_but_not_compared(ledger: SqliteStore) -> None:
    """A row whose baseline has no price counts as spent, and in neither side of the comparison."""
    ledger.submit(SettleRequest(ended("r1", baseline_cost=None))).result()
    bounds = {"baseline_cost_low": Decimal("0.002"), "baseline_cost_high": Decimal("0.009"), "evidence": "modelled"}
    ledger.submit(SettleRequest(ended("r2", **bounds))).result()
    sums = ledger.report_groups(since=None, until=None, key_id=None)
    known = next(group for group in sums if group["evidence"] == "modelled")
    unknown = next(group for group in sums if group["evidence"] != "modelled")
    assert (unknown["spent_usd"], unknown["compared_usd"], unknown["baseline_usd"]) == (0.001, 0.0, 0.0)
    assert (known["low_usd"], known["high_usd"], known["squares"]) == (0.002, 0.009, pytest.approx(0.004**2))


def test_sums_by_a_column_have_its_values(ledger: SqliteStore) -> None:
    """Sessions and tags are read from the rows; rows without one are left out."""
    ledger.submit(SettleRequest(ended("r1", session_id="s1", tags={"team": "a"}))).result()
    ledger.submit(SettleRequest(ended("r2", session_id="s1"))).result()
    ledger.submit(SettleRequest(ended("r3"))).result()
    sessions = ledger.report_groups_by("session_id", since=None, until=None, key_id=None)
    tags = ledger.report_groups_by("tags", since=None, until=None, key_id=None)
    assert [(row["value"], row["requests"]) for row in sessions] == [("s1", 2)]
    assert [(row["value"], row["requests"]) for row in tags] == [('{"team":"a"}', 1)]
    assert ledger.report_groups_by("tags", since=None, until=None, key_id="k9") == []


def test_days_can_be_limited(ledger: SqliteStore) -> None:
    """The sums by day are those of one key, model or pattern where these are given."""
    filled(ledger)
    wanted = {"key_id": "k1", "provider": "gemini", "model": "flash", "pattern": "code"}
    for name, value in wanted.items():
        days = ledger.report_days(since=None, until=None, filters={name: value})
        assert sum(day["requests"] for day in days) == (30 if name == "key_id" else 60)
        assert ledger.report_days(since=None, until=None, filters=wanted | {name: "other"}) == []


def test_only_changes_by_routing_are_lost_to_it(ledger: SqliteStore) -> None:
    """A changed model counts where the gateway chose it: not the client's own change, not a failover, not another cause."""
    miss = {"cache_miss": "switched_model", "cache_missed_tokens": 7, "cache_loss": Decimal("0.001")}
    rows = [
        ended("routed", **miss),
        ended("named", **miss, strategy_used="pinned"),
        ended("failed over", **miss, fallback_used=True, fallback_reason="upstream: claude/haiku timed out"),
        ended("late", **(miss | {"cache_miss": "expired"})),
        ended("read"),
    ]
    for row in rows:
        ledger.submit(SettleRequest(row)).result()
    groups = ledger.report_groups(since=None, until=None, key_id=None)
    found = {(group["cache_miss"], group["strategy"]): group for group in groups}
    assert sum(group["lost_usd"] for group in groups) == 0.001
    assert sum(group["missed_usd"] for group in groups) == pytest.approx(0.004)
    assert sum(group["missed_tokens"] for group in groups) == 28
    assert found["switched_model", "hybrid"]["lost_usd"] == 0.001
    assert (found["", "hybrid"]["requests"], found["expired", "hybrid"]["requests"]) == (1, 1)


def test_the_most_expensive_values_come_first(tmp_path: Path) -> None:
    """Of more values than a report has room for, those are left out on which least was spent."""
    rows = [("s1", 1.0), ("s2", 5.0), ("s3", 3.0), ("s3", 3.0)]
    with closing(DatabaseFile(tmp_path / "gateway.db").open()) as connection:
        connection.executemany(
            "INSERT INTO routing_metrics (session_id, actual_cost, timestamp) VALUES (?, ?, '2026-11-22')", rows
        )
        found = report_groups_by(connection, "session_id", since=None, until=None, key_id=None, most=2)
    assert {row["value"]: row["requests"] for row in found} == {"s2": 1, "s3": 2}


def test_labels_say_which_side_of_the_draw_they_are_of(ledger: SqliteStore) -> None:
    """Ratings of held-back conversations, and of those that could have been; answers that no draw concerned are left out."""
    own = {"selected_provider": "claude", "selected_model": "haiku"}
    rows = [
        ended("r1", holdback=False),
        ended("r2", holdback=True),
        ended("r3", holdback=False, **own),
        ended("r4", **own),
    ]
    for number, row in enumerate(rows):
        ledger.submit(SettleRequest(row)).result()
        feedback = Feedback(row.request_id, number / 4, NOW.isoformat())
        ledger.submit(InsertFeedback(feedback)).result()
    labels = ledger.report_labels(since=None, until=None, key_id=None)
    assert labels == [(0.0, False), (0.5, False), (0.25, True)]
    assert ledger.report_labels(since=NOW, until=None, key_id="k1") == []


def test_refusals_are_counted_in_whole_hours(ledger: SqliteStore) -> None:
    """Without refusals there are none; the store of refusals is filled elsewhere."""
    assert ledger.refusals(since=None, until=NOW, key_id=None) == []
    assert ledger.refusals(since=NOW, until=None, key_id="k1") == []
