"""Budgets that several replicas spend: never more than the limit, and the same refusals as on SQLite."""

from __future__ import annotations

from concurrent.futures import wait
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.accounts.budgets import GLOBAL, Balance, Budget, Hold
from gateway.errors import BudgetExceeded
from gateway.store import InsertRequest, SettleRequest, Store
from gateway.store.opening import open_store
from gateway.store.sqlite import SqliteStore
from tests.postgres import new_database
from tests.store.cases import NOW, begun, ended
from tests.store.postgres.conftest import MakeStore

MILLI = 1_000_000


def hold(*amounts: int, account: str = "k", limit: int = 100) -> Hold:
    return Hold(account, Budget(limit), amounts, NOW)


def test_two_replicas_never_exceed_a_limit(make_store: MakeStore) -> None:
    """Of 200 requests at once to two replicas, for two accounts that allow 20 each, exactly 20 each are begun."""
    stores = [make_store(now=lambda: NOW) for _ in range(2)]
    futures = [
        stores[number % 2].submit(
            InsertRequest(begun(str(number)), [hold(MILLI, account=f"k{number // 2 % 2}", limit=20 * MILLI)])
        )
        for number in range(200)
    ]
    wait(futures)
    errors = [future.exception() for future in futures]
    assert errors.count(None) == 40
    assert all(error is None or isinstance(error, BudgetExceeded) for error in errors)
    assert [stores[0].balance(f"k{number}", "total").held_nano for number in range(2)] == [20 * MILLI] * 2

    begun_ones = [number for number, error in enumerate(errors) if error is None]
    wait([stores[(number + 1) % 2].submit(SettleRequest(ended(str(number)))) for number in begun_ones])
    assert [stores[1].balance(f"k{number}", "total") for number in range(2)] == [Balance(20 * MILLI, 0)] * 2


def test_accounts_in_any_order_do_not_stop_each_other(make_store: MakeStore) -> None:
    """Requests of two replicas that name the same two accounts in opposite orders are all begun."""
    first, second = make_store(now=lambda: NOW), make_store(now=lambda: NOW)
    accounts = [hold(1, account="a", limit=1_000), hold(1, account="b", limit=1_000)]
    futures = [
        store.submit(InsertRequest(begun(f"{store is first} {number}"), holds))
        for number in range(100)
        for store, holds in ((first, accounts), (second, accounts[::-1]))
    ]
    assert [future.exception() for future in futures] == [None] * 200
    assert first.balance("a", "total") == Balance(0, 200)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tmp_path_factory.mktemp("sqlite") / "gateway.db", new_database()


class TestSameAnswers:
    """Whatever is asked, both databases answer the same."""

    runs = 0

    @settings(max_examples=20, deadline=None)
    @given(
        batch=st.lists(
            st.tuples(st.lists(st.integers(0, 60), min_size=1, max_size=3), st.integers(0, 120), st.booleans()),
            max_size=6,
        )
    )
    def test_holds(self, databases: tuple[Path, str], batch: list[tuple[list[int], int, bool]]) -> None:
        TestSameAnswers.runs += 1
        name = f"run {TestSameAnswers.runs}"
        answers = []
        stores: list[Store] = [SqliteStore(databases[0], now=lambda: NOW), open_store(databases[1], now=lambda: NOW)]
        for store in stores:
            futures = []
            for place, (amounts, limit, both) in enumerate(batch):
                holds = [hold(*amounts, account=name, limit=limit)]
                holds += [hold(*amounts, account=f"{name} {GLOBAL}", limit=70)] if both else []
                futures.append(store.submit(InsertRequest(begun(f"{name} {place}"), holds)))
            results = [future.exception() or future.result() for future in futures]
            balances = [store.balance(account, "total") for account in (name, f"{name} {GLOBAL}")]
            answers.append(([str(result) for result in results], balances))
            store.close()
        assert answers[0] == answers[1]


def test_expired_holds_are_charged(make_store: MakeStore) -> None:
    """The hold of a request that never ended is charged in full after its time."""
    store = make_store(now=lambda: NOW)
    store.submit(InsertRequest(begun(), [hold(60)])).result()
    store.close_orphans(now="2026-11-22T10:44:00+00:00")
    assert store.balance("k", "total") == Balance(0, 60)
    store.close_orphans(now="2026-11-22T10:46:00+00:00")
    assert store.balance("k", "total") == Balance(60, 0)
