"""The contract of `Store`, continued: what the dashboard's pages read and keep."""

from __future__ import annotations

import pytest

from gateway.records import Feedback
from gateway.store import (
    DeleteContents,
    InsertContent,
    InsertFeedback,
    InsertRequest,
    SettleRequest,
    Store,
    StoredContent,
)
from tests.store.cases import NOW, begun, ended
from tests.store.test_protocol import open_store, store

__all__ = ["open_store", "store"]  # the fixtures


def test_content_is_kept_as_it_was_written(store: Store) -> None:
    """Long texts come back whole, without the characters that no database takes; the first content of a request stays."""
    kept = StoredContent("r1", NOW.isoformat(), "x" * 50_000, "four")
    store.submit(InsertContent(kept._replace(answer="fo\0ur"))).result()
    store.submit(InsertContent(kept._replace(answer="five"))).result()
    store.submit(InsertContent(kept._replace(request_id="r2", answer="\ud800"))).result()
    assert store.content("r1") == kept
    assert store.content("r2") == kept._replace(request_id="r2", answer="?")
    assert store.content("r3") is None


def test_old_contents_are_deleted_in_steps(store: Store) -> None:
    """Only those from before the time, the oldest first, so many at a time."""
    for day in (3, 1, 2, 4):
        store.submit(InsertContent(StoredContent(f"r{day}", f"2026-11-0{day}", "p", "a"))).result()
    deleted = [store.submit(DeleteContents("2026-11-04", limit=2)).result() for _ in range(3)]
    assert deleted == [2, 1, 0]
    assert [store.content(f"r{day}") is None for day in (1, 2, 3, 4)] == [True, True, True, False]


def test_recent_values_are_those_of_closed_rows(store: Store) -> None:
    """Each combination of model, pattern and key of the last days occurs once; older and open ones do not."""
    for number, changes in enumerate(({}, {}, {"key_id": "k1"}, {"timestamp": "2026-10-01T10:00:00.000+00:00"})):
        store.submit(SettleRequest(ended(f"r{number}", **changes))).result()
    store.submit(InsertRequest(begun("open", key_id="k2"))).result()
    found = [tuple(row.values()) for row in store.recent_values(days=7)]
    assert sorted(found) == [("gemini", "flash", "code", ""), ("gemini", "flash", "code", "k1")]


def test_last_use_of_keys(store: Store) -> None:
    """The time of each key's newest row; a key without rows is left out."""
    for number, minute in enumerate((1, 2)):
        stamp = f"2026-11-22T10:0{minute}:00.000+00:00"
        store.submit(SettleRequest(ended(f"r{number}", key_id="k1", timestamp=stamp))).result()
    assert store.last_uses(["k1", "k2"]) == {"k1": "2026-11-22T10:02:00.000+00:00"}


def test_revision_changes_with_rows_and_ratings(store: Store) -> None:
    """It stays while nothing happens, and differs after an insert, a settlement and a rating."""
    found = [store.revision(), store.revision()]
    store.submit(InsertRequest(begun())).result()
    found.append(store.revision())
    store.submit(SettleRequest(ended())).result()
    found.append(store.revision())
    store.submit(InsertFeedback(Feedback("r1", 1.0, NOW.isoformat()))).result()
    found.append(store.revision())
    assert found[0] == found[1]
    assert len(set(found)) == 4


def test_rows_of_a_strategy_in_a_period_that_is_over(store: Store) -> None:
    """Strategy and period together leave the rows that fit both."""
    for number, hour in enumerate((9, 10, 11)):
        stamp = f"2026-11-22T{hour:02}:00:00.000+00:00"
        store.submit(SettleRequest(ended(f"r{number}", timestamp=stamp))).result()
    filters = {"strategy_used": "hybrid", "since": "2026-11-22T09:30", "until": "2026-11-22T10:30"}
    assert [row["request_id"] for row in store.requests(filters=filters)] == ["r1"]
    assert store.requests(filters={**filters, "strategy_used": "pinned"}) == []


@pytest.mark.parametrize("days", [1, 30])
def test_confidence_over_time_is_that_of_the_timeline(store: Store, days: float) -> None:
    """The same buckets and counts, by hour and by day."""
    for number, confidence in enumerate(("high", "high", "medium", None)):
        store.submit(SettleRequest(ended(f"r{number}", confidence=confidence))).result()
    names = ("bucket", "total_requests", "high", "medium", "low")
    found = store.confidence_timeline(days=days)
    assert found == [{name: row[name] for name in names} for row in store.timeline(days=days)]
    assert (found[0]["high"], found[0]["total_requests"]) == (2, 4)
