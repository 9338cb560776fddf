"""Request rows and attempts: insert, settle, recovery after a crash."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

from gateway.errors import Conflict, NotFound
from gateway.records import Attempt
from gateway.store import InsertRequest, StoredOutcome, requests, sql
from gateway.store.process_lease import ProcessLease
from tests.store.cases import begun, ended

RETRY = Attempt(number=2, provider="claude", model="haiku", status="settled", cost=Decimal("0.004"))


def row(connection: apsw.Connection, request_id: str = "r1") -> dict[str, Any]:
    (found,) = sql.dicts(connection, "SELECT * FROM routing_metrics WHERE request_id = ?", (request_id,))
    return found


def attempts(connection: apsw.Connection, request_id: str = "r1") -> list[tuple[str, str, int | None]]:
    query = "SELECT id, status, cost_nano FROM attempts WHERE request_id = ? ORDER BY id"
    return sql.tuples(connection, query, (request_id,))


def test_begin_opens_an_owned_row_with_its_first_attempt(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A begun row is open and owned, and is its own first attempt."""
    requests.insert(connection, InsertRequest(begun()), owner=owner)

    assert (row(connection)["status"], row(connection)["owner"]) == ("open", owner.id)
    assert row(connection)["attempts"] == 1
    assert attempts(connection) == []


def test_request_id_begins_once(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A request id is begun once."""
    requests.insert(connection, InsertRequest(begun()), owner=owner)

    with pytest.raises(Conflict):
        requests.insert(connection, InsertRequest(begun()), owner=owner)


def test_settlement_that_changes_nothing_is_noticed(
    connection: apsw.Connection, owner: ProcessLease, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that was closed with another status keeps it, and the log names the request; the same settlement again is silent."""
    requests.insert(connection, InsertRequest(begun("closed")), owner=owner)
    requests.interrupt_rows(connection, [owner.id], now="2026-11-22T10:40:00Z")
    requests.settle(connection, ended("closed"))
    assert row(connection, "closed")["status"] == "interrupted"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "closed ended as ok, but its row was closed as interrupted before" in caplog.text

    caplog.clear()
    requests.settle(connection, ended("once"))
    requests.settle(connection, ended("once"))
    assert caplog.messages == []


def test_settle_writes_the_answer_and_closes_attempts(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A settled row holds who answered, what it cost and saved, and no attempt stays reserved."""
    requests.insert(connection, InsertRequest(begun()), owner=owner)
    requests.settle(connection, ended())

    settled = row(connection)
    assert settled["status"] == "ok"
    assert (settled["baseline_cost"], settled["actual_cost"]) == (0.004, 0.001)
    assert settled["cost_savings"] == pytest.approx(0.003)
    assert settled["savings_percentage"] == pytest.approx(75)
    assert (settled["prompt_tokens"], settled["usage"]) == (10, '{"promptTokenCount":10}')
    assert attempts(connection) == [("r1:1", "settled", 1_000_000)]


def test_settle_is_final(connection: apsw.Connection, owner: ProcessLease) -> None:
    """The first settling stands; what comes later changes neither row nor attempts."""
    requests.insert(connection, InsertRequest(begun()), owner=owner)
    requests.settle(connection, ended())
    before = row(connection)

    requests.settle(connection, ended(status="error", actual_cost=Decimal(1), attempts=(RETRY,)))
    requests.upsert_attempt(connection, "r1", RETRY)

    assert row(connection) == before
    assert attempts(connection) == [("r1:1", "settled", 1_000_000)]


def test_settle_without_begin_inserts_the_row(connection: apsw.Connection) -> None:
    """A row that was never begun (its file was replaced meanwhile) is inserted whole."""
    requests.settle(connection, ended())
    requests.settle(connection, ended())

    assert row(connection)["status"] == "ok"
    assert len(attempts(connection)) == 1


def test_settle_refuses_an_open_record(connection: apsw.Connection) -> None:
    """An open record is no end."""
    with pytest.raises(ValueError, match="final status"):
        requests.settle(connection, begun())


def test_forgotten_attempt_is_estimated(connection: apsw.Connection, owner: ProcessLease) -> None:
    """An attempt that a settled record does not mention may have been billed: it is not left reserved."""
    requests.insert(connection, InsertRequest(begun()), owner=owner)
    requests.settle(connection, ended(status="error", attempts=()))

    assert attempts(connection) == [("r1:1", "unknown_estimated", None)]


def test_attempts_of_another_request_are_left_alone(connection: apsw.Connection, owner: ProcessLease) -> None:
    """A request whose id begins like another's shares nothing with it."""
    requests.insert(connection, InsertRequest(begun("a")), owner=owner)
    requests.insert(connection, InsertRequest(begun("a:1")), owner=owner)
    requests.upsert_attempt(connection, "a:1", Attempt(1, "gemini", "flash"))
    requests.settle(connection, ended("a", attempts=()))

    assert attempts(connection, "a:1") == [("a:1:1", "reserved", None)]


def test_attempts_change_only_while_the_row_is_open(connection: apsw.Connection, owner: ProcessLease) -> None:
    """Attempts are added and settled while the row is open; a settled one does not change again."""
    requests.insert(connection, InsertRequest(begun()), owner=owner)
    failed = Attempt(number=1, provider="gemini", model="flash", status="failed_free", error="upstream_overloaded")
    requests.upsert_attempt(connection, "r1", failed)
    requests.upsert_attempt(connection, "r1", failed._replace(status="settled", cost=Decimal(1)))
    requests.upsert_attempt(connection, "r1", RETRY)

    assert attempts(connection) == [("r1:1", "failed_free", None), ("r1:2", "settled", 4_000_000)]
    assert row(connection)["attempts"] == 2


def test_second_attempt_writes_the_first_too(connection: apsw.Connection, owner: ProcessLease) -> None:
    """Once a second upstream is called, the first call is a row too: of whom the row named when it was begun."""
    requests.insert(connection, InsertRequest(begun()), owner=owner)
    requests.upsert_attempt(connection, "r1", RETRY._replace(status="reserved", cost=None))

    found = sql.tuples(connection, "SELECT id, provider, model, status FROM attempts ORDER BY id")
    assert found == [("r1:1", "gemini", "flash", "reserved"), ("r1:2", "claude", "haiku", "reserved")]


def test_attempt_of_an_unknown_request_is_refused(connection: apsw.Connection) -> None:
    """An attempt needs its row."""
    with pytest.raises(NotFound):
        requests.upsert_attempt(connection, "r1", RETRY)


def test_outcome_ids_rise(connection: apsw.Connection) -> None:
    """Each outcome's id is above all before it."""
    outcome = StoredOutcome("gemini", "flash", "code", 0.2, timestamp="2026-11-22T10:00:00Z")

    assert requests.insert_outcome(connection, outcome) < requests.insert_outcome(connection, outcome)


def test_recover_closes_the_rows_of_the_dead(connection: apsw.Connection, owner: ProcessLease, path: Path) -> None:
    """A row that a dead process left open is interrupted and charged as estimated, once."""
    dead = ProcessLease(path)
    requests.insert(connection, InsertRequest(begun()), owner=dead)
    dead.release()

    assert requests.close_orphans(connection, owner=owner, now="2026-11-22T11:00:00Z") == 1
    assert requests.close_orphans(connection, owner=owner, now="2026-11-22T12:00:00Z") == 0
    closed = row(connection)
    assert (closed["status"], closed["estimated"], closed["evidence"]) == ("interrupted", 1, "modelled")
    assert (closed["actual_cost"], closed["baseline_cost"]) == (0.001, 0.004)
    assert closed["savings_percentage"] == pytest.approx(75)
    assert closed["recovered_at"] == "2026-11-22T11:00:00Z"
    assert attempts(connection) == [("r1:1", "orphaned", 1_000_000)]


def test_recover_closes_no_rows_of_a_living_process(
    connection: apsw.Connection, owner: ProcessLease, path: Path
) -> None:
    """A second process that starts on the same file does not close the first one's rows."""
    first = ProcessLease(path)
    requests.insert(connection, InsertRequest(begun()), owner=first)

    assert requests.close_orphans(connection, owner=owner, now="2026-11-22T11:00:00Z") == 0
    assert row(connection)["status"] == "open"
    first.release()


def test_recover_keeps_what_is_known(connection: apsw.Connection, owner: ProcessLease, path: Path) -> None:
    """Attempts that had ended keep their cost; only the one in flight is estimated."""
    dead = ProcessLease(path)
    requests.insert(connection, InsertRequest(begun()), owner=dead)
    free = Attempt(number=1, provider="gemini", model="flash", status="settled", cost=Decimal("0.0005"))
    requests.upsert_attempt(connection, "r1", free)
    requests.upsert_attempt(connection, "r1", RETRY._replace(status="reserved", cost=None))
    dead.release()
    requests.close_orphans(connection, owner=owner, now="2026-11-22T11:00:00Z")

    assert attempts(connection) == [("r1:1", "settled", 500_000), ("r1:2", "orphaned", 4_000_000)]
    assert row(connection)["actual_cost_nano"] == 4_500_000


@pytest.mark.parametrize(
    "candidates",
    [(), ({"provider": "gemini", "model": "flash", "cost": None},), ({"cost": -1},), ("odd",)],
)
def test_recover_without_an_estimate_leaves_the_cost_unknown(
    connection: apsw.Connection, owner: ProcessLease, path: Path, candidates: tuple[Any, ...]
) -> None:
    """Where no estimate was stored, the cost stays unknown and the row is flagged all the same."""
    dead = ProcessLease(path)
    requests.insert(connection, InsertRequest(begun(candidates=candidates)), owner=dead)
    dead.release()
    requests.close_orphans(connection, owner=owner, now="2026-11-22T11:00:00Z")

    assert (row(connection)["actual_cost"], row(connection)["estimated"]) == (None, 1)


def test_recover_of_rows_that_other_tools_wrote(connection: apsw.Connection, owner: ProcessLease) -> None:
    """An open row without owner, candidates or attempts is closed too."""
    connection.execute("INSERT INTO routing_metrics (request_id, status, candidates) VALUES ('r1', 'open', '{broken')")

    assert requests.close_orphans(connection, owner=owner, now="2026-11-22T11:00:00Z") == 1
    assert (row(connection)["status"], row(connection)["actual_cost"]) == ("interrupted", None)


def test_probe_writes_one_row_only(connection: apsw.Connection) -> None:
    """The probe writes one row, however often."""
    requests.probe(connection)
    requests.probe(connection)

    assert connection.execute("SELECT id, count FROM write_probe").fetchone() == (1, 2)
