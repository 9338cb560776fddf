"""Holds and spending."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.accounts.budgets import GLOBAL, Balance, Budget, Hold
from gateway.errors import BudgetExceeded, Conflict
from gateway.store import (
    InsertRequest,
    SettleRequest,
    UpsertAttempt,
)
from gateway.store.sqlite import SqliteStore
from tests.store.cases import NOW, begun, ended
from tests.store.conftest import MakeLedger

LIMIT = Budget(100, "day")
PERIOD = "day 2026-11-22T00"


def hold(*amounts: int, account: str = "key_1", budget: Budget = LIMIT) -> Hold:
    return Hold(account, budget, amounts, NOW)


def test_a_hold_lasts_until_the_request_is_settled(ledger: SqliteStore) -> None:
    """What a request may cost is held when its row is begun; when it ends, what it did cost is spent and the rest is free."""
    budget = Budget(10**9, "day")
    assert ledger.submit(InsertRequest(begun(), [hold(5_000_000, budget=budget)])).result() == 0
    assert ledger.balance("key_1", PERIOD) == Balance(0, 5_000_000)
    ledger.submit(SettleRequest(ended())).result()
    ledger.submit(SettleRequest(ended())).result()
    assert ledger.balance("key_1", PERIOD) == Balance(1_000_000, 0)


def test_first_amount_that_every_account_has_is_held(ledger: SqliteStore) -> None:
    """Of several amounts the first that every account has left is held; nothing is held of one that another lacks."""
    ledger.submit(InsertRequest(begun("a"), [hold(60)])).result()
    wide, narrow = Budget(1000, "day"), LIMIT
    both = [hold(70, 50, 40, account=GLOBAL, budget=wide), hold(70, 50, 40, budget=narrow)]
    assert ledger.submit(InsertRequest(begun("b"), both)).result() == 2
    assert ledger.balance("key_1", PERIOD) == Balance(0, 100)
    assert ledger.balance(GLOBAL, PERIOD) == Balance(0, 40)


def test_a_refused_request_has_no_row(ledger: SqliteStore) -> None:
    """Without the money nothing is begun and nothing is held, in whichever account it lacks."""
    short = [hold(50, account=GLOBAL, budget=Budget(1000, "day")), hold(50, budget=Budget(40, "day"))]
    with pytest.raises(BudgetExceeded, match="This key's budget"):
        ledger.submit(InsertRequest(begun(), short)).result()
    assert ledger.request("r1") is None
    assert ledger.balance(GLOBAL, PERIOD) == Balance()
    assert ledger.balance("key_1", PERIOD) == Balance()


def test_repeated_requests_hold_nothing(ledger: SqliteStore) -> None:
    """A request that is in the ledger already is refused before any money is held for it."""
    ledger.submit(InsertRequest(begun(), [hold(10)])).result()
    with pytest.raises(Conflict):
        ledger.submit(InsertRequest(begun(), [hold(10)])).result()
    assert ledger.balance("key_1", PERIOD) == Balance(0, 10)


def test_an_unknown_cost_is_all_that_was_held(ledger: SqliteStore) -> None:
    """Where nobody knows what a request did cost, what was held is spent."""
    ledger.submit(InsertRequest(begun(), [hold(30)])).result()
    ledger.submit(SettleRequest(ended(actual_cost=None))).result()
    assert ledger.balance("key_1", PERIOD) == Balance(30, 0)


def test_budget_for_a_hundred_admits_a_hundred_of_a_thousand(ledger: SqliteStore) -> None:
    """Of a thousand requests at once against a budget for a hundred, exactly a hundred are let in."""
    futures = [ledger.submit(InsertRequest(begun(f"r{number}"), [hold(1)])) for number in range(1000)]
    refused = [future.exception() for future in futures]
    assert refused.count(None) == 100
    assert {type(error) for error in refused} == {type(None), BudgetExceeded}
    assert ledger.balance("key_1", PERIOD) == Balance(0, 100)


def test_what_dead_processes_held_is_charged(make_ledger: MakeLedger, path: Path) -> None:
    """What a killed process held is spent in full, and its rows say the same: used is what the ledger adds up to."""
    dead = make_ledger()
    dead.submit(InsertRequest(begun(), [hold(5_000_000, account=GLOBAL, budget=Budget(10**9, "day"))])).result()
    dead.close()
    ledger = make_ledger()
    assert ledger.close_orphans(now=NOW.isoformat()) == 1
    assert ledger.balance(GLOBAL, PERIOD) == Balance(5_000_000, 0)
    row = ledger.request("r1") or {}
    assert (row["status"], row["estimated"], row["actual_cost"]) == ("interrupted", True, 0.005)


def test_only_one_attempt_is_charged_with_the_hold(make_ledger: MakeLedger) -> None:
    """However many attempts of a dead request are unsettled, what was held for it is charged once."""
    dead = make_ledger()
    dead.submit(InsertRequest(begun(), [hold(5_000_000, budget=Budget(10**9, "day"))])).result()
    second = ended().attempts[0]._replace(number=2, status="reserved", cost=None)
    dead.submit(UpsertAttempt("r1", second)).result()
    dead.close()
    ledger = make_ledger()
    ledger.close_orphans(now=NOW.isoformat())
    assert ledger.balance("key_1", PERIOD) == Balance(5_000_000, 0)
    assert [attempt["cost"] for attempt in (ledger.request("r1") or {})["attempts"]] == [0.005, 0.0]


def test_expired_holds_are_charged(ledger: SqliteStore) -> None:
    """A hold that nobody settled within 15 minutes is spent in full; a settlement that comes later changes nothing."""
    ledger.submit(InsertRequest(begun(), [hold(30)])).result()
    ledger.close_orphans(now=(NOW + timedelta(minutes=14)).isoformat())
    assert ledger.balance("key_1", PERIOD) == Balance(0, 30)
    ledger.close_orphans(now=(NOW + timedelta(minutes=16)).isoformat())
    ledger.submit(SettleRequest(ended())).result()
    assert ledger.balance("key_1", PERIOD) == Balance(30, 0)


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 150), st.one_of(st.none(), st.decimals(-10, 10**9, places=9), st.just(Decimal("NaN")))
        ),
        max_size=12,
    )
)
def test_budget_is_never_exceeded(steps: list[tuple[int, Decimal | None]]) -> None:
    """Whatever is held and whatever it turns out to cost, nothing is let in beyond the limit and no sum is negative."""
    with closing(SqliteStore(":memory:", now=lambda: NOW)) as ledger:
        for number, (amount, cost) in enumerate(steps):
            before = ledger.balance("key_1", PERIOD)
            admitted = ledger.submit(InsertRequest(begun(f"r{number}"), [hold(amount)])).exception() is None
            after = ledger.balance("key_1", PERIOD)
            assert admitted == (before.used_nano + before.held_nano + amount <= LIMIT.limit_nano)
            assert not admitted or after.used_nano + after.held_nano <= LIMIT.limit_nano
            if admitted:
                ledger.submit(SettleRequest(ended(f"r{number}", actual_cost=cost))).result()
            settled = ledger.balance("key_1", PERIOD)
            assert settled.held_nano == 0
            assert settled.used_nano >= before.used_nano


def test_money_is_never_negative(path: Path, ledger: SqliteStore) -> None:
    """The tables themselves refuse a negative sum, whoever writes it."""
    ledger.submit(InsertRequest(begun(), [hold(1)])).result()
    with closing(apsw.Connection(str(path))) as connection, pytest.raises(apsw.ConstraintError):
        connection.execute("UPDATE budgets SET used_nano = -1")
