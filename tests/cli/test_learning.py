"""`gateway learning`"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gateway.records import Feedback
from gateway.routing.estimation.estimator import EstimatorState
from gateway.routing.estimation.snapshot import FORMAT, dumps
from gateway.store import (
    Checkpoint,
    InsertCheckpoint,
    InsertFeedback,
    InsertOutcome,
    InsertRequest,
    RejectCheckpoint,
    SettleRequest,
    StoredOutcome,
)
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import Invoke
from tests.store.cases import NOW, begun, ended


def keep(db: Path, body: bytes, *, form: str = FORMAT, learned_to: int = 40) -> int:
    store = SqliteStore(db)
    try:
        return store.submit(
            InsertCheckpoint(Checkpoint("saved", form, learned_to=learned_to, outcomes=learned_to), body)
        ).result()
    finally:
        store.close()


def states(db: Path) -> list[Checkpoint]:
    store = SqliteStore(db)
    try:
        return list(store.states())
    finally:
        store.close()


def test_states_are_listed_with_what_is_wrong_with_them(invoke: Invoke, db: Path) -> None:
    """Sound ones, those of another version, and those that were refused."""
    keep(db, b"x")
    keep(db, b"x", form="other")
    refused = keep(db, b"x")
    store = SqliteStore(db)
    store.submit(RejectCheckpoint(refused, "its checksum is wrong")).result()
    store.close()

    lines = invoke("learning", "show").stdout.splitlines()

    assert [line.rpartition(": ")[2] for line in lines] == ["sound", "of another version", "its checksum is wrong"]
    assert "40 outcomes" in lines[0]


def test_rollback_orders_an_earlier_state(invoke: Invoke, db: Path) -> None:
    """Its copy becomes the newest, and what came since is passed over."""
    number = keep(db, dumps(EstimatorState(learned=40)))

    result = invoke("learning", "rollback", str(number))

    assert result.exit_code == 0
    newest = states(db)[-1]
    assert (newest.origin, newest.learned_to, newest.outcomes) == ("rollback", 0, 40)


def test_rollback_to_a_reset_is_a_reset(invoke: Invoke, db: Path) -> None:
    """A state without anything in it can be gone back to as well."""
    SqliteStore(db).close()
    invoke("learning", "reset")

    assert invoke("learning", "rollback", "1").exit_code == 0
    assert [state.origin for state in states(db)] == ["reset", "reset"]


def test_what_cannot_be_used_is_not_gone_back_to(invoke: Invoke, db: Path) -> None:
    """An unknown number and a bad state are refused with a sentence, and nothing changes."""
    keep(db, b"nonsense")

    assert "There is no state 9" in invoke("learning", "rollback", "9").stderr
    assert "State 1 cannot be used: not a state" in invoke("learning", "rollback", "1").stderr
    assert len(states(db)) == 1


def test_reset_forgets_all(invoke: Invoke, db: Path) -> None:
    """The newest state then knows nothing."""
    SqliteStore(db).close()
    assert invoke("learning", "reset").stdout == "Routing starts anew.\n"
    newest = states(db)[-1]
    assert (newest.origin, newest.outcomes) == ("reset", 0)


def test_the_agreement_of_judge_and_people_is_shown(invoke: Invoke, db: Path) -> None:
    """Once an answer was rated by both."""
    with closing(SqliteStore(db, now=lambda: NOW)) as store:
        store.submit(InsertRequest(begun())).result()
        store.submit(SettleRequest(ended())).result()
        store.submit(InsertFeedback(Feedback("r1", 0.5, "2026-11-22T10:02:00Z"))).result()
        judged = StoredOutcome("gemini", "flash", "code", 0.5, request_id="r1", quality=0.9, source="judge")
        store.submit(InsertOutcome(judged)).result()
    assert invoke("learning", "show").stdout == (
        "Of 1 answers rated by the judge and by people, 100% got the same verdict; the judge's ratings are +0.40 on average.\n"
    )
