"""Three gateways, each a process, on one PostgreSQL; the soak does the same for longer and with the database killed too.

Slow: real processes. Nothing else shows what SIGKILL leaves, and that replicas meet in the database only.
"""

from __future__ import annotations

import asyncio

from gateway.accounts.budgets import Budget
from tests.postgres import execute, rows
from tests.soak.replicas import Replicas, answers, kill_one, status_with, until

COST_NANO = 125_000  # of each answer of the upstream


async def test_killed_replica_loses_nothing_and_disturbs_nobody(replicas: Replicas) -> None:
    """After kill -9 of one of three under load every finished answer has its settled row, cut ones have a row, and the others serve on.

    A replica that starts once the dead one's lease has ended closes what it left open.
    """
    await replicas.start_all(3)
    came = await kill_one(replicas, clients=8, seconds=1.0)
    assert (came.lost, came.rowless) == ([], [])
    assert set(came.on_others) == {"finished"}
    assert came.on_killed["finished"] > 10
    assert came.open > 0
    await asyncio.to_thread(
        execute, replicas.url, "DELETE FROM process_leases"
    )  # what time does; the store's tests know how long it takes
    await asyncio.to_thread(replicas.start)
    statuses = await asyncio.to_thread(replicas.statuses)
    assert sum(status == "interrupted" for status in statuses.values()) == came.open
    assert "open" not in statuses.values()


async def test_budget_and_revocation_hold_everywhere(replicas: Replicas) -> None:
    """1,000 requests at once over three replicas never spend more than a budget for 100; a revoked key is refused by all within a second.

    The second is given another half, because all of it runs on one machine.
    """
    limit = 100 * COST_NANO
    key_id = await asyncio.to_thread(replicas.issue, "gw-budget", budget=Budget(limit, "total"))
    await replicas.start_all(3)

    statuses = await answers(replicas, "gw-budget", requests=1_000)
    assert set(statuses) == {200, 429}
    ((used, held),) = await asyncio.to_thread(rows, replicas.url, "SELECT used_nano, held_nano FROM budgets")
    assert (used, held) == (statuses[200] * COST_NANO, 0)
    assert 0 < used <= limit

    await asyncio.to_thread(replicas.revoke, key_id)

    async def is_refused() -> bool:
        return all([await status_with(each, "gw-budget") == 401 for each in replicas.running])

    assert await until(is_refused, seconds=10) < 1.5


async def test_requests_a_minute_of_a_key_hold_everywhere(replicas: Replicas) -> None:
    """Of 300 requests at once over three replicas a key with 60 requests a minute gets no more; the others are refused and have no row."""
    await asyncio.to_thread(replicas.issue, "gw-minute", rpm=60)
    await replicas.start_all(3)
    statuses = await answers(replicas, "gw-minute", requests=300)
    assert set(statuses) == {200, 429}
    assert 30 < statuses[200] <= 60
    assert len(await asyncio.to_thread(replicas.statuses)) == statuses[200]
