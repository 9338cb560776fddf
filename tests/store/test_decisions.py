"""Reading decisions from the ledger, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.records import Feedback
from gateway.store import InsertFeedback, InsertOutcome, InsertRequest, SettleRequest, StoredOutcome
from gateway.store.decision_columns import DecisionReader
from gateway.store.decisions import COLUMNS, Period
from gateway.store.sqlite import SqliteStore
from tests.store.cases import begun, ended
from tests.store.pages import two

LATER = "2026-11-23T10:00:00.123+00:00"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "gateway.db")) as opened:
        for number, timestamp in ((1, "2026-11-22T10:00:00.123+00:00"), (2, LATER), (3, LATER)):
            record = ended(f"r{number}", timestamp=timestamp, candidates=two(), propensity=0.98, complexity_score=0.2)
            opened.submit(InsertRequest(record)).result()
            opened.submit(SettleRequest(record)).result()
        opened.submit(InsertRequest(begun("open", timestamp=LATER))).result()
        yield opened


def test_pages_follow_each_other(store: SqliteStore) -> None:
    """Each page begins after the last id of the one before; open rows are not there."""
    after, count = store.extent(Period())
    first = store.decisions(Period(), after=after, limit=2)
    second = store.decisions(Period(), after=first[-1][0], limit=2)
    assert (after, count) == (0, 4)
    assert [row[COLUMNS.index("request_id")] for row in (*first, *second)] == ["r1", "r2", "r3"]


def test_period_leaves_out_earlier_and_later_rows(store: SqliteStore) -> None:
    """`since` is included, `until` is not."""
    after, count = store.extent(Period(since=LATER))
    assert (after, count) == (1, 3)
    assert len(store.decisions(Period(since=LATER), after=after, limit=10)) == 2
    assert len(store.decisions(Period(until=LATER), after=0, limit=10)) == 1
    assert store.extent(Period(since="2027")) == (0, 0)


def test_written_rows_can_be_read_as_columns(store: SqliteStore) -> None:
    """What the gateway writes is what the reader understands, a client's rating included."""
    store.submit(InsertFeedback(Feedback("r1", 0.75, "2026-11-22T10:05:00.000+00:00"))).result()
    columns = DecisionReader().read(store.decisions(Period(), after=0, limit=10), {})
    assert len(columns) == 3
    assert columns.label[0] == 0.75


def test_labels_are_those_that_good_and_bad_answers_have(store: SqliteStore) -> None:
    """A check that every such answer gets is a label, the last one of a request; what only failures get is none."""
    for request_id, source, quality in (
        ("r1", "failed_validation", 0.0),
        ("r1", "passed_validation", 0.9),
        ("r2", "truncated", 0.3),
        ("r3", "feedback", None),
        (None, "outcome", 1.0),
    ):
        outcome = StoredOutcome("gemini", "small", "code", 0.2, request_id=request_id, source=source, quality=quality)
        store.submit(InsertOutcome(outcome)).result()
    assert store.quality_labels() == {"r1": 0.9}
