"""Leases of processes: a dead one's rows are closed by another, a living one's never, also when the others were away."""

from __future__ import annotations

from decimal import Decimal

from gateway.accounts.budgets import Balance, Budget, Hold
from gateway.store import InsertRequest, SettleRequest
from gateway.store.postgres.connection import CONNECT_TIMEOUT
from gateway.store.postgres.leases import GAP_SECONDS, LEASE_SECONDS, RENEW_SECONDS, DatabaseLease
from gateway.store.postgres.schema import RECOVERY_LOCK
from gateway.store.postgres.store import PostgresStore
from gateway.store.sql import Connection
from tests.postgres import PostgresServer, execute, rows
from tests.store.cases import NOW, begun, ended
from tests.store.postgres.conftest import MakeStore, until_writable

LATER = "2026-11-22T10:40:00Z"
HOLD = Hold("k1", Budget(10_000_000), (6_000_000,), NOW)
STALE = "UPDATE process_leases SET renewed = renewed - interval '1 hour'"


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def witness(store: PostgresStore, clock: Clock) -> None:
    """The store renews without a gap for as long as a lease lasts."""
    for _ in range(int(LEASE_SECONDS / RENEW_SECONDS) + 1):
        clock.seconds += RENEW_SECONDS
        store.probe()


def test_only_an_unbroken_witness_judges() -> None:
    """A process that has itself renewed without a gap for a lease's time knows that the database was there."""
    clock = Clock()
    lease = DatabaseLease(clock=clock)
    seen = []
    for _ in range(int(LEASE_SECONDS / RENEW_SECONDS) + 1):
        lease.renewed()
        seen.append(lease.may_judge)
        clock.seconds += RENEW_SECONDS
    assert seen == [False] * 6 + [True]

    clock.seconds += 60  # the database was away
    assert not lease.may_judge
    lease.renewed()
    assert not lease.may_judge


def test_lease_is_renewed_when_it_is_due() -> None:
    """The first transaction takes the lease, and one every few seconds renews it."""
    clock = Clock()
    lease = DatabaseLease(clock=clock)
    assert (lease.is_due, lease.in_use) == (True, False)
    lease.renewed()
    assert (lease.is_due, lease.in_use) == (False, True)
    clock.seconds += RENEW_SECONDS
    assert lease.is_due


def test_dead_replicas_rows_are_closed_within_the_promised_time(url: str, make_store: MakeStore) -> None:
    """Rows of a process that renews no more are closed by another, charged as estimated, and its hold becomes spending."""
    clock = Clock()
    dead, living = make_store(now=lambda: NOW), make_store(now=lambda: NOW, clock=clock)
    dead.submit(InsertRequest(begun("dead"), (HOLD,))).result()
    living.submit(InsertRequest(begun("alive"))).result()
    execute(url, STALE)
    assert living.close_orphans(now=LATER) == 0  # perhaps nobody could renew

    witness(living, clock)
    assert living.close_orphans(now=LATER) == 1
    assert living.close_orphans(now=LATER) == 0
    row = living.request("dead") or {}
    assert (row["status"], row["estimated"], row["actual_cost"], row["recovered_at"]) == (
        "interrupted",
        True,
        0.006,
        LATER,
    )
    assert living.balance("k1", "total") == Balance(used_nano=6_000_000)
    assert [row["status"] for row in living.requests(filters={"status": "open"})] == ["open"]
    assert rows(url, "SELECT count(*) FROM process_leases") == [(1,)]


def test_outage_of_the_database_makes_nobody_look_dead(server: PostgresServer, make_store: MakeStore) -> None:
    """After the database was away for longer than a lease lasts, a replica that is back first leaves the others' open rows alone.

    It closes rows again after it has watched for as long as a lease lasts: those of a replica that renewed are not among them.
    """
    execute(server.url(), "CREATE DATABASE outage")  # other tests leave open rows
    url, clock, others = server.url("outage"), Clock(), Clock()
    store, other = make_store(url, clock=clock), make_store(url, clock=others)
    other.submit(InsertRequest(begun("outage"))).result()
    witness(store, clock)
    assert store._lease.may_judge
    server.kill()
    clock.seconds += 2 * LEASE_SECONDS
    others.seconds += 2 * LEASE_SECONDS
    assert not store.writable()
    server.start()
    execute(url, STALE)  # what time does while nobody can renew
    clock.seconds += RENEW_SECONDS  # the pause before a new connection
    others.seconds += RENEW_SECONDS
    until_writable(store)
    for _ in range(int(LEASE_SECONDS / RENEW_SECONDS)):
        assert store.close_orphans(now=LATER) == 0
        clock.seconds += RENEW_SECONDS
        store.probe()
    until_writable(other)
    other.probe()
    clock.seconds += RENEW_SECONDS
    store.probe()
    assert store._lease.may_judge
    assert store.close_orphans(now=LATER) == 0
    assert (store.request("outage") or {})["status"] == "open"
    other.submit(SettleRequest(ended("outage"))).result()


def test_gap_that_a_witness_does_not_notice_ends_no_lease(url: str, make_store: MakeStore) -> None:
    """A replica that renewed last before a short outage, and renews again only after its pause and a new connection, is not dead."""
    clock = Clock()
    other, store = make_store(now=lambda: NOW), make_store(now=lambda: NOW, clock=clock)
    other.submit(InsertRequest(begun("short"))).result()
    witness(store, clock)
    clock.seconds += GAP_SECONDS
    store.probe()
    assert store._lease.may_judge
    longest = RENEW_SECONDS + GAP_SECONDS + RENEW_SECONDS + CONNECT_TIMEOUT
    execute(url, STALE.replace("1 hour", f"{longest} s"))
    assert store.close_orphans(now=LATER) == 0


def test_row_closed_too_early_gets_its_real_end(url: str, make_store: MakeStore) -> None:
    """A process that was only stopped for a while settles its own rows after another has closed them; others cannot."""
    stopped, other = make_store(now=lambda: NOW), make_store(now=lambda: NOW)
    for name in ("a", "b"):
        stopped.submit(InsertRequest(begun(name))).result()
    execute(url, "DELETE FROM process_leases")
    assert other.close_orphans(now=LATER) == 2

    other.submit(SettleRequest(ended("a"))).result()
    stopped.submit(SettleRequest(ended("b", actual_cost=Decimal("0.002")))).result()
    found = {row["request_id"]: (row["status"], row["actual_cost"]) for row in other.requests()}
    assert found == {"a": ("interrupted", 0.001), "b": ("ok", 0.002)}
    attempts = (other.request("b") or {})["attempts"]
    assert [attempt["status"] for attempt in attempts] == ["settled"]
    assert other.summary(days=30)["total_cost"] == 0.003


def test_one_process_recovers_at_a_time(url: str, make_store: MakeStore) -> None:
    """While another process closes rows, there is nothing to do."""
    first, second = make_store(), make_store()

    def locked(connection: Connection) -> int:
        connection.execute("SELECT pg_advisory_xact_lock(?)", (RECOVERY_LOCK,))
        return second.close_orphans(now=LATER)

    assert first._writer.submit(locked).result() == 0


def test_closed_store_gives_its_lease_back(url: str, make_store: MakeStore) -> None:
    """A store that ends properly leaves no lease, so that its open rows are closed by the next start."""
    store = make_store()
    store.submit(InsertRequest(begun())).result()
    assert rows(url, "SELECT count(*) FROM process_leases") == [(1,)]
    store.close()
    assert rows(url, "SELECT count(*) FROM process_leases") == [(0,)]
