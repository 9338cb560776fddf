"""What gateways on one database agree on, through what a store gives them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.permit_limiter import PermitLimiter
from gateway.errors import LedgerUnavailable, RateLimited
from tests.postgres import PostgresServer
from tests.store.postgres.conftest import MakeStore, until_writable


async def test_limiters_of_three_replicas_admit_the_limit(url: str, make_store: MakeStore) -> None:
    """Of 300 requests at three replicas at once exactly 100 are admitted where that is the limit, with a few questions to the ledger."""
    limiters = [PermitLimiter(make_store().replicas, asyncio.get_running_loop().time) for _ in range(3)]
    admitted = 0
    for _ in range(2):  # what was held back in the first round is given back before the second
        results = await asyncio.gather(
            *(limiter.admit("k", rpm=100) for limiter in limiters for _ in range(100)), return_exceptions=True
        )
        admitted += sum(result is None for result in results)
        assert {type(result) for result in results} <= {type(None), RateLimited}
        for limiter in limiters:
            await limiter.sweep()
    assert admitted == 100


async def test_nobody_is_admitted_while_the_database_is_away(server: PostgresServer, make_store: MakeStore) -> None:
    """A limiter that cannot ask the ledger refuses as the ledger does, and goes on when it is back."""
    store = make_store(server.url())
    limiter = PermitLimiter(store.replicas, asyncio.get_running_loop().time)
    await limiter.admit("away", rpm=2)
    await asyncio.to_thread(server.kill)
    try:
        with pytest.raises(LedgerUnavailable) as refused:
            await limiter.admit("away", rpm=2)
        assert refused.value.retry_after == 5.0
    finally:
        await asyncio.to_thread(server.start)
    await asyncio.to_thread(until_writable, store)
    await limiter.admit("away", rpm=2)
    with pytest.raises(RateLimited):
        await limiter.admit("away", rpm=2)
