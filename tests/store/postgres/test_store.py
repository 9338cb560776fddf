"""The ledger of several replicas: what one writes the others see, by the database's clock."""

from __future__ import annotations

import gc
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.accounts.budgets import Budget, Hold
from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.errors import LedgerUnavailable
from gateway.records import Feedback
from gateway.store import (
    InsertFeedback,
    InsertOutcome,
    InsertRequest,
    InsertVirtualKey,
    RevokeVirtualKey,
    SettleRequest,
)
from gateway.store.postgres.store import DatabaseClock, _renew
from tests.postgres import PostgresServer, execute, rows
from tests.store.cases import NOW, begun, ended
from tests.store.postgres.conftest import MakeStore
from tests.store.test_protocol import KEY, OUTCOME


def test_key_is_known_and_revoked_at_the_next_look(make_store: MakeStore) -> None:
    """A key that one replica makes or revokes is made or revoked for the others at once; a gateway looks every 2 s."""
    first, second = make_store(), make_store()
    first.submit(InsertVirtualKey(KEY)).result()
    assert list(second.virtual_keys()) == [KEY]
    second.submit(RevokeVirtualKey("k1", at=NOW)).result()
    assert [key.revoked for key in first.virtual_keys()] == [NOW]


def test_row_of_one_replica_is_settled_by_another(make_store: MakeStore) -> None:
    """Rows, totals and ratings are one ledger."""
    first, second = make_store(now=lambda: NOW), make_store(now=lambda: NOW)
    first.submit(InsertRequest(begun())).result()
    second.submit(SettleRequest(ended())).result()
    first.submit(InsertFeedback(Feedback("r1", 1.0, "2026-11-22T10:01:00Z"))).result()
    assert second.patterns()[0]["avg_quality"] == 1.0
    assert [outcome.source for outcome in second.outcomes()] == ["feedback"]


class Local:
    """A machine whose clock is an hour ahead."""

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)


def test_windows_follow_the_databases_clock(make_store: MakeStore) -> None:
    """However wrong the clock of a replica is, its requests are charged to the window of the database's time."""
    store = make_store()
    wrong = datetime.now(UTC) + timedelta(days=40)
    hold = Hold("k1", Budget(10, "month"), (5,), wrong)
    before, _ = (
        Hold("k1", Budget(10, "month"), (5,), datetime.now(UTC)),
        store.submit(InsertRequest(begun(), (hold,))).result(),
    )
    after = Hold("k1", Budget(10, "month"), (5,), datetime.now(UTC))
    assert 5 in {store.balance("k1", each.period).held_nano for each in (before, after)}
    assert store.balance("k1", hold.period).held_nano == 0


def test_holds_expire_by_the_databases_clock(make_store: MakeStore) -> None:
    """A replica whose clock is far ahead charges no hold of a running request."""
    store = make_store()
    store.submit(InsertRequest(begun(), (Hold("k1", Budget(10), (5,), NOW),))).result()
    store.close_orphans(now="2999-01-01T00:00:00+00:00")
    assert store.balance("k1", "total").held_nano == 5


def test_clock_is_the_databases(url: str, make_store: MakeStore) -> None:
    """The difference between the machine's clock and the database's is measured."""
    clock = DatabaseClock(Local())
    with make_store()._pool.reading() as connection:
        clock.read(connection)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=30)


def test_outcome_has_the_databases_time(make_store: MakeStore) -> None:
    """An outcome without a time gets the current one."""
    store = make_store()
    store.submit(InsertOutcome(OUTCOME)).result()
    written = datetime.fromisoformat(store.outcomes()[0].timestamp)
    assert abs(written - datetime.now(UTC)) < timedelta(seconds=30)


def test_integrity_check_reads_the_tables(url: str, make_store: MakeStore) -> None:
    """A ledger that lacks a table is not sound."""
    store = make_store()
    store.check()
    execute(url, "ALTER TABLE outcomes RENAME TO gone")
    with pytest.raises(LedgerUnavailable, match='relation "outcomes" does not exist'):
        store.check()


def test_lease_is_renewed_while_nothing_is_written(url: str, make_store: MakeStore) -> None:
    """A replica that has written renews its lease by itself; one that has not keeps none."""
    quiet, busy = make_store(), make_store()
    busy.submit(SettleRequest(ended())).result()
    (before,) = rows(url, "SELECT owner, renewed FROM process_leases")
    for store in (quiet, busy):
        _renew(store._pool.changing, store._lease, store._jobs, DatabaseClock())
    (after,) = rows(url, "SELECT owner, renewed FROM process_leases")
    assert before[0] == after[0] == busy._lease.id
    assert before[1] < after[1]


def test_renewal_waits_for_a_database_that_is_away(server: PostgresServer, make_store: MakeStore) -> None:
    """While the database is away a renewal fails quietly, and the process judges nobody."""
    store = make_store(server.url())
    store.probe()
    server.stop()
    try:
        _renew(store._pool.changing, store._lease, store._jobs, DatabaseClock())
    finally:
        server.start()
    assert not store._lease.may_judge


@pytest.mark.parametrize("used", [False, True])
def test_forgotten_store_ends_its_threads(url: str, make_store: MakeStore, used: bool) -> None:
    """A store that is dropped without being closed leaves no thread and no lease."""
    before = set(threading.enumerate())
    from gateway.store.opening import open_store

    store: Any = open_store(url)
    if used:
        store.probe()
    del store
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before
    assert rows(url, "SELECT count(*) FROM process_leases") == [(0,)]


def test_keys_name_is_free_after_a_revocation_elsewhere(make_store: MakeStore) -> None:
    """A name that another replica has freed can be used again."""
    first, second = make_store(), make_store()
    first.submit(InsertVirtualKey(KEY)).result()
    second.submit(RevokeVirtualKey("k1", at=NOW)).result()
    first.submit(InsertVirtualKey(VirtualKey("k2", KEY.name, digest_of("gw-two"), "-two", NOW))).result()
    assert len(second.virtual_keys()) == 2
