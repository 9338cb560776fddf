"""Mutations as column values."""

from __future__ import annotations

from gateway.accounts.budgets import Budget, Hold
from gateway.records import Attempt
from gateway.store import InsertRequest, SettleRequest, UpsertAttempt, encoding
from gateway.store.process_lease import ProcessLease
from gateway.store.rows import InsertRow, SettleRow, encode_rows, is_complete
from tests.store.cases import NOW, begun, ended

HOLD = Hold("k1", Budget(10_000_000, "day"), (6_000_000,), NOW)
ATTEMPT = Attempt(1, "gemini", "flash")


def test_inserts_and_settlements_become_rows(owner: ProcessLease) -> None:
    """An insert has its owner and its holds, a settlement its attempts and its cost."""
    insert, settlement = encode_rows([InsertRequest(begun(), [HOLD]), SettleRequest(ended())], owner=owner)
    assert insert == InsertRow(encoding.insert_values(begun(), owner=owner.id), [HOLD])
    assert isinstance(settlement, SettleRow)
    assert (settlement.request_id, settlement.cost_nano, len(settlement.attempts)) == ("r1", 1_000_000, 1)


def test_what_needs_special_handling_stays(owner: ProcessLease) -> None:
    """An insert with attempts, a settlement that leaves one open and other mutations stay as they are."""
    unusual = [
        InsertRequest(begun(attempts=(ATTEMPT,))),
        SettleRequest(ended(attempts=(ATTEMPT,))),
        SettleRequest(begun()),
        UpsertAttempt("r1", ATTEMPT),
    ]
    assert encode_rows(unusual, owner=owner) == unusual


def test_a_record_is_complete_with_all_its_attempts_settled() -> None:
    """Attempts are numbered from 1 on, without a gap."""
    assert is_complete(ended())
    assert not is_complete(begun())
    assert not is_complete(ended(attempts=(ATTEMPT._replace(number=2, status="settled"),)))
