"""Permits for the requests of a key: never more than its limit within a minute, over all replicas."""

from __future__ import annotations

import asyncio

from gateway.accounts.budgets import Budget, Hold
from gateway.store import EndedPermits, InsertRequest
from gateway.store.postgres.store import PostgresStore
from gateway.store.replicas import PERMIT_SECONDS, WINDOW
from tests.postgres import execute, rows
from tests.store.cases import NOW, begun
from tests.store.postgres.conftest import MakeStore

AGE = "UPDATE key_permits SET taken = taken - interval '{0} s', used_until = used_until - interval '{0} s'"


async def taken(store: PostgresStore, *, rpm: int, wanted: int, key: str = "k") -> int:
    return (await store.replicas.take_permits(key, rpm=rpm, wanted=wanted)).granted


async def test_replicas_together_get_the_limit(url: str, make_store: MakeStore) -> None:
    """What one replica took another cannot take; the last ones are fewer than asked for, and the wait is told. Keys count apart."""
    first, second = make_store(), make_store()
    assert await taken(first, rpm=10, wanted=6) == 6
    last = await second.replicas.take_permits("k", rpm=10, wanted=6)
    assert last.granted == 4
    assert WINDOW < last.wait <= WINDOW + PERMIT_SECONDS
    refused = await first.replicas.take_permits("k", rpm=10, wanted=1)
    assert (refused.granted, refused.wait > WINDOW) == (0, True)
    assert await taken(second, rpm=10, wanted=6, key="other") == 6


async def test_many_takers_at_once_never_exceed_the_limit(url: str, make_store: MakeStore) -> None:
    """Permits that three replicas ask for at the same time are the limit, no matter how their transactions overlap."""
    stores = [make_store() for _ in range(3)]
    asking = [store.replicas.take_permits("k", rpm=50, wanted=1) for _ in range(40) for store in stores]
    assert sum(permits.granted for permits in await asyncio.gather(*asking)) == 50


async def test_permits_count_for_a_minute_after_their_last_possible_use(url: str, make_store: MakeStore) -> None:
    """Permits of which nothing is known count until a minute after the end of their time, then they are deleted."""
    store = make_store()
    await taken(store, rpm=1, wanted=1)
    await asyncio.to_thread(execute, url, AGE.format(WINDOW + PERMIT_SECONDS - 5))
    assert await taken(store, rpm=1, wanted=1) == 0
    await asyncio.to_thread(execute, url, AGE.format(5))
    assert await taken(store, rpm=1, wanted=1) == 1
    assert await asyncio.to_thread(rows, url, "SELECT count(*) FROM key_permits") == [(1,)]


async def test_ended_permits_count_as_they_were_used(url: str, make_store: MakeStore) -> None:
    """Unused permits are there for others at once; used ones count until a minute after their last use."""
    first, second = make_store(), make_store()
    permits = await first.replicas.take_permits("k", rpm=10, wanted=10)
    await first.replicas.end_permits([EndedPermits(permits.number, used=4, seconds=1.0)])
    assert await taken(second, rpm=10, wanted=10) == 6
    await asyncio.to_thread(execute, url, AGE.format(WINDOW + 0.5))
    assert await taken(second, rpm=10, wanted=10) == 0
    await asyncio.to_thread(execute, url, AGE.format(0.5))
    assert await taken(second, rpm=10, wanted=10) == 4


async def test_lowered_limit_counts_at_once(url: str, make_store: MakeStore) -> None:
    """After a limit was lowered below what was admitted nothing more is."""
    store = make_store()
    await taken(store, rpm=10, wanted=5)
    assert await taken(store, rpm=3, wanted=1) == 0
    assert await taken(store, rpm=6, wanted=5) == 1


async def test_batch_with_permits_and_budgets_is_one_commit(url: str, make_store: MakeStore) -> None:
    """Permits are taken in the commit of the requests that wait with them, and each operation gets its own result."""
    store = make_store(now=lambda: NOW)
    hold = Hold("k1", Budget(10_000_000), (6_000_000,), NOW)
    results = await asyncio.gather(
        store.replicas.take_permits("b", rpm=2, wanted=1),
        store.write(InsertRequest(begun("one"), (hold,))),
        store.replicas.take_permits("a", rpm=3, wanted=5),
        store.write(InsertRequest(begun("two"))),
    )
    assert (results[0].granted, results[1], results[2].granted, results[3]) == (1, 0, 3, 0)


async def test_recovery_deletes_permits_of_keys_that_nobody_uses(url: str, make_store: MakeStore) -> None:
    """Permits that count no more are deleted with the rows of dead replicas."""
    store = make_store()
    await taken(store, rpm=5, wanted=1, key="gone")
    await asyncio.to_thread(execute, url, AGE.format(WINDOW + PERMIT_SECONDS))
    await asyncio.to_thread(store.close_orphans, now=NOW.isoformat())
    assert await asyncio.to_thread(rows, url, "SELECT count(*) FROM key_permits") == [(0,)]
