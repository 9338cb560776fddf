"""Deleting old rows keeps the sums, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.store import Checkpoint, InsertCheckpoint, InsertOutcome, InsertRequest, SettleRequest, StoredOutcome
from gateway.store.database_store import DatabaseStore
from gateway.store.opening import open_store
from tests.postgres import drop_database, new_database
from tests.store.cases import begun, ended

OLD = "2026-08-01T10:00:00.000+00:00"
BEFORE = "2026-09-01T00:00:00.000+00:00"
SUMS = "unit, bucket, sum(requests), sum(errors), sum(cost_nano), sum(savings_nano), sum(prompt_tokens)"
GROUPED = f"SELECT {SUMS} FROM rollup GROUP BY unit, bucket HAVING sum(requests) > 0 ORDER BY unit, bucket"  # noqa: S608 - constants


@contextmanager
def sqlite(folder: Path) -> Iterator[DatabaseStore]:
    with closing(open_store(folder / "gateway.db")) as store:
        yield store


@contextmanager
def postgres(_folder: Path) -> Iterator[DatabaseStore]:
    url = new_database()
    with closing(open_store(url)) as store:
        yield store
    drop_database(url)


@pytest.fixture(params=[sqlite, postgres], ids=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseStore]:
    opened: Callable[[Path], Any] = request.param
    with opened(tmp_path) as store:
        yield store


def read(store: DatabaseStore, query: str) -> list[tuple[Any, ...]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]


def outcome(timestamp: str) -> InsertOutcome:
    return InsertOutcome(
        StoredOutcome(
            provider="gemini", model="flash", pattern="code", complexity=0.2, quality=1.0, timestamp=timestamp
        )
    )


def test_pruned_rows_stay_in_the_sums(store: DatabaseStore) -> None:
    """Closed rows before the time go with their attempts, in pages; the sums stay, and so do open and newer rows."""
    for name in ("a", "b", "c"):
        store.submit(SettleRequest(ended(name, timestamp=OLD))).result()
    store.submit(SettleRequest(ended("new"))).result()
    store.submit(InsertRequest(begun("open", timestamp=OLD))).result()
    before = read(store, GROUPED)
    assert [store.prune_requests(before=BEFORE, limit=2) for _ in range(3)] == [2, 1, 0]
    assert read(store, GROUPED) == before
    assert len(before) == 4  # two hours and two days
    assert read(store, "SELECT request_id FROM routing_metrics ORDER BY 1") == [("new",), ("open",)]
    assert read(store, "SELECT request_id FROM attempts ORDER BY 1") == [("new",)]


def test_sums_of_pruned_rows_survive_a_change_of_others(store: DatabaseStore) -> None:
    """A row of the same hour that is settled after the prune is added to the sums that were kept."""
    store.submit(InsertRequest(begun("slow", timestamp=OLD))).result()
    store.submit(SettleRequest(ended("a", timestamp=OLD))).result()
    store.prune_requests(before=BEFORE, limit=10)
    store.submit(SettleRequest(ended("slow", timestamp=OLD))).result()
    assert [row[2] for row in read(store, GROUPED)] == [2, 2]


def test_ratings_old_figures_and_contents_go_with_their_row(store: DatabaseStore) -> None:
    """Feedback, the cost history and the content of a pruned row are deleted, those of others are not."""
    for name, timestamp in (("a", OLD), ("b", "2026-11-22T10:00:00.000+00:00")):
        store.submit(SettleRequest(ended(name, timestamp=timestamp))).result()
        for statement in (
            f"INSERT INTO feedback (request_id, timestamp, score) VALUES ('{name}', '{timestamp}', 1)",  # noqa: S608 - constants
            f"INSERT INTO cost_history (request_id, repriced) VALUES ('{name}', '{timestamp}')",  # noqa: S608 - constants
            f"INSERT INTO contents (request_id, timestamp, prompt, answer) VALUES ('{name}', '{timestamp}', '', '')",  # noqa: S608 - constants
        ):
            store.apply(lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]  # its default
    store.prune_requests(before=BEFORE, limit=10)
    assert read(store, "SELECT request_id FROM feedback") == [("b",)]
    assert read(store, "SELECT request_id FROM cost_history") == [("b",)]
    assert read(store, "SELECT request_id FROM contents") == [("b",)]


def test_outcomes_that_are_not_learned_are_kept(store: DatabaseStore) -> None:
    """Only outcomes that a sound stored state has learned are deleted, so that a start can learn the others."""
    for timestamp in (OLD, OLD, "2026-11-22T10:00:00.000+00:00", OLD):
        store.submit(outcome(timestamp)).result()
    assert store.prune_outcomes(before=BEFORE, limit=10) == 0
    store.submit(InsertCheckpoint(Checkpoint("saved", "f", learned_to=3, outcomes=3), b"state")).result()
    assert [store.prune_outcomes(before=BEFORE, limit=1) for _ in range(3)] == [1, 1, 0]
    assert len(read(store, "SELECT id FROM outcomes")) == 2
