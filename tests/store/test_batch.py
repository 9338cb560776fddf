"""Changes that are written together end as if they had been made one after the other."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from gateway.accounts.budgets import Budget, Hold
from gateway.errors import BudgetExceeded, Conflict, LedgerUnavailable
from gateway.records import Attempt, Feedback
from gateway.store import (
    InsertOutcome,
    InsertRequest,
    SettleRequest,
    StoredOutcome,
    UpsertAttempt,
    sql,
    user_feedback,
)
from gateway.store.batch import NotBatchable, apply_batch, independent_runs
from gateway.store.connection import DatabaseFile
from gateway.store.operations import apply_one
from gateway.store.process_lease import ProcessLease
from gateway.store.writer import Operation
from tests.store.cases import NOW, begun, ended

OUTCOME = StoredOutcome("gemini", "flash", "code", 0.2, timestamp="2026-11-22T10:00:00Z")
RETRY = Attempt(number=2, provider="claude", model="haiku", status="settled", cost=Decimal("0.004"))
TABLES = (
    "SELECT request_id, status, actual_cost_nano, attempts, baseline_cost, usage FROM routing_metrics ORDER BY id",
    "SELECT * FROM attempts ORDER BY id",
    "SELECT * FROM rollup ORDER BY unit, bucket, strategy, model",
    "SELECT request_id, source, quality FROM outcomes ORDER BY id",
)


def stored(connection: apsw.Connection) -> list[list[tuple[Any, ...]]]:
    return [sql.tuples(connection, query) for query in TABLES]


def places(batch: list[Operation]) -> list[list[int]]:
    return [[place for place, _ in run] for run in independent_runs(batch)]


def test_batch_writes_the_same_as_single_mutations(
    connection: apsw.Connection, owner: ProcessLease, tmp_path: Path
) -> None:
    """Rows, attempts, sums and outcomes are the same as those of changes made one by one."""
    failed = Attempt(number=1, provider="gemini", model="flash", status="failed_free")
    began: list[Operation] = [InsertRequest(begun(name)) for name in "abcde"]
    settled: list[Operation] = [
        SettleRequest(ended("a"), [OUTCOME, OUTCOME._replace(quality=0.1)]),
        SettleRequest(ended("b", status="error", attempts=(failed,), actual_cost=None)),
        SettleRequest(ended("c", attempts=(failed, RETRY), timestamp="2026-11-22T11:00:00Z")),
        SettleRequest(ended("d", attempts=(failed, RETRY))),
    ]
    with closing(DatabaseFile(tmp_path / "other.db").open()) as other:
        for change in (*began, UpsertAttempt("c", RETRY._replace(status="reserved")), *settled):
            apply_one(other, change, owner=owner)

        assert apply_batch(connection, began, owner=owner) == [0] * 5
        apply_batch(connection, [UpsertAttempt("c", RETRY._replace(status="reserved"))], owner=owner)
        assert apply_batch(connection, settled, owner=owner) == [None] * 4

        assert stored(connection) == stored(other)
        assert [quality for (quality,) in sql.tuples(connection, "SELECT quality FROM outcomes")] == [None, 0.1]


@pytest.mark.parametrize(
    "unusual",
    [
        SettleRequest(ended("never begun")),
        SettleRequest(begun("a")),
        SettleRequest(ended("a", attempts=())),
        SettleRequest(ended("a", attempts=(RETRY,))),
        SettleRequest(ended("a", attempts=(Attempt(1, "gemini", "flash"),))),
        InsertRequest(begun("a")),
    ],
)
def test_incomplete_requests_are_written_one_by_one(
    connection: apsw.Connection, owner: ProcessLease, unusual: Operation
) -> None:
    """What is not begun once and settled once with all its attempts is not written among others."""
    apply_batch(connection, [InsertRequest(begun("a"))], owner=owner)

    with pytest.raises((NotBatchable, apsw.ConstraintError)):
        apply_batch(connection, [unusual], owner=owner)


def test_record_without_its_begun_attempt_is_written_alone(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A record that does not know of an attempt that was begun is not written among others."""
    apply_batch(
        connection, [InsertRequest(begun("a")), UpsertAttempt("a", RETRY._replace(status="reserved"))], owner=owner
    )

    with pytest.raises(NotBatchable):
        apply_batch(connection, [SettleRequest(ended("a"))], owner=owner)


def test_batch_holds_budgets_and_charges_settlements(connection: apsw.Connection, owner: ProcessLease) -> None:
    """Among others, too, money is held for a row or the row refused, and what was held is charged with the settlement."""
    hold = Hold("key", Budget(10_000_000, "day"), (10_000_000,), NOW)
    answers = apply_batch(
        connection,
        [InsertRequest(begun("a"), (hold,)), InsertRequest(begun("b"), (hold,)), InsertRequest(begun("c"))],
        owner=owner,
    )

    assert answers[::2] == [0, 0]
    assert isinstance(answers[1], BudgetExceeded)
    apply_batch(connection, [SettleRequest(ended("a")), SettleRequest(ended("c"))], owner=owner)
    assert connection.execute("SELECT used_nano, held_nano FROM budgets").fetchone() == (1_000_000, 0)


def test_answers_stand_in_their_places(connection: apsw.Connection, owner: ProcessLease) -> None:
    """Each change has its own answer, a refusal included, whatever stands around it."""
    feedback = Feedback("nobody", 1.0, "2026-11-22T10:01:00Z")
    batch: list[Operation] = [
        InsertRequest(begun("a")),
        InsertOutcome(OUTCOME),
        SettleRequest(ended("a")),
        partial(user_feedback.insert, feedback=feedback),
        InsertOutcome(OUTCOME),
        InsertRequest(begun("b", attempts=(RETRY,))),
    ]
    answers = apply_batch(connection, batch, owner=owner)

    assert answers[:3] == [0, 1, None]
    assert "nobody" in str(answers[3])
    assert answers[4:] == [2, 0]
    assert [row[0] for row in sql.tuples(connection, "SELECT status FROM routing_metrics ORDER BY id")] == [
        "ok",
        "open",
    ]


def test_unavailable_ledger_is_no_refusal_of_one_mutation(connection: apsw.Connection, owner: ProcessLease) -> None:
    """That the ledger cannot be used is no refusal: it is about all changes."""

    def lost(_: apsw.Connection) -> None:
        raise LedgerUnavailable("no lock file")

    with pytest.raises(LedgerUnavailable):
        apply_batch(connection, [lost], owner=owner)


def test_repeated_row_and_unknown_attempt_are_refused(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A repeated row is refused, and so is an attempt of an unknown one."""
    assert apply_one(connection, InsertRequest(begun("a")), owner=owner) == 0
    assert isinstance(apply_one(connection, InsertRequest(begun("a")), owner=owner), Conflict)
    assert "not in the ledger" in str(apply_one(connection, UpsertAttempt("x", RETRY), owner=owner))


def test_begin_and_settle_of_one_row_are_in_different_runs() -> None:
    """A row is not begun and settled in one run; what may be about any row is a run by itself."""
    settle, begin, learn = SettleRequest(ended("a")), InsertRequest(begun("b")), InsertOutcome(OUTCOME)
    other = UpsertAttempt("a", RETRY)

    assert places([settle, begin, learn, settle]) == [[0, 1, 2, 3]]
    assert places([begin, SettleRequest(ended("b")), begin]) == [[0], [1, 2]]
    assert places([begin, other, settle]) == [[0], [1], [2]]
    assert places([other, other]) == [[0], [1]]
    assert places([]) == []


def test_a_row_that_another_tool_began(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A request whose row is there already is not begun among others."""
    connection.execute("INSERT INTO routing_metrics (request_id) VALUES ('a')")

    with pytest.raises(NotBatchable):
        apply_batch(connection, [InsertRequest(begun("a"))], owner=owner)
