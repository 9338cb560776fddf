"""Notifications of changed keys, and what happens where they do not come."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from gateway.accounts.virtual_keys import AdminKey, VirtualKey, digest_of
from gateway.store import InsertVirtualKey, ReplaceAdminKey, RevokeVirtualKey
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.connection import PostgresSource
from gateway.store.postgres.listener import NotificationListener
from gateway.store.postgres.schema import KEYS_CHANNEL
from tests.postgres import PostgresServer, execute, rows
from tests.store.postgres.conftest import MakeStore
from tests.store.postgres.test_connection import ScriptedSource, StandIn

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = VirtualKey(id="key_1", name="team", digest=digest_of("gw-team"), last4="team", created=NOW)
END_LISTENERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)
ASKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT 1'"
WITHIN = 5.0  # seconds; it takes milliseconds


def until_asked(url: str) -> None:
    """Wait until a connection was asked `SELECT 1`."""
    deadline = time.monotonic() + WITHIN
    while rows(url, ASKED) == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(
    source: PostgresSource,
    *,
    sleep: Callable[[float], Awaitable[object]] = _at_once,
    check_seconds: float = 60.0,
) -> AsyncIterator[asyncio.Queue[float]]:
    """The times at which a listener told of something."""
    told: asyncio.Queue[float] = asyncio.Queue()
    listener = NotificationListener(
        source,
        KEYS_CHANNEL,
        notified=lambda: told.put_nowait(time.monotonic()),
        sleep=sleep,
        check_seconds=check_seconds,
    )
    running = asyncio.create_task(listener.run())
    try:
        yield told
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def next_one(told: asyncio.Queue[float]) -> float:
    return await asyncio.wait_for(told.get(), WITHIN)


async def test_each_change_of_keys_is_told(url: str, make_store: MakeStore) -> None:
    """Another replica's new, changed and revoked keys, its admin key, and changes by other tools are told within a second."""
    store = make_store()
    changes: list[Callable[[], object]] = [
        lambda: store.submit(InsertVirtualKey(KEY)).result(),
        lambda: store.submit(RevokeVirtualKey(KEY.id, NOW)).result(),
        lambda: store.submit(ReplaceAdminKey(AdminKey(digest_of("gw-admin"), "dmin", NOW))).result(),
        lambda: execute(url, "DELETE FROM virtual_keys"),
    ]
    async with listening(PostgresSource(PostgresAddress.parse(url))) as told:
        await next_one(told)
        for change in changes:
            await asyncio.to_thread(change)
            changed = time.monotonic()
            assert await next_one(told) - changed < 1
        assert told.empty()


async def test_lost_connection_is_replaced(url: str) -> None:
    """After its connection was ended a listener connects again, and tells once, because it may have missed something."""
    async with listening(PostgresSource(PostgresAddress.parse(url))) as told:
        await next_one(told)
        await asyncio.to_thread(execute, url, END_LISTENERS)
        await next_one(told)
        await asyncio.to_thread(execute, url, "DELETE FROM virtual_keys")
        await next_one(told)


async def test_database_that_is_away_is_waited_for_with_longer_pauses(
    server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """While the database is away pauses become longer, up to half a minute, and nothing is said; then the listener is there again."""
    pauses: list[float] = []
    back = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 10:
            await back.wait()

    with caplog.at_level(logging.INFO):
        async with listening(PostgresSource(PostgresAddress.parse(server.url())), sleep=sleep) as told:
            await next_one(told)
            await asyncio.to_thread(server.kill)
            try:
                while len(pauses) <= 10:
                    await _at_once(0)
            finally:
                await asyncio.to_thread(server.start)
            back.set()
            await next_one(told)
    assert 0.25 <= pauses[0] <= 0.5
    assert 15 <= pauses[9] <= 30
    assert caplog.messages == []


async def test_silent_connection_is_asked_whether_it_works(url: str) -> None:
    """A connection without notifications is asked now and then, and kept while it answers."""
    async with listening(PostgresSource(PostgresAddress.parse(url)), check_seconds=0.02) as told:
        await next_one(told)
        await asyncio.to_thread(until_asked, url)
        await asyncio.to_thread(execute, url, "DELETE FROM virtual_keys")
        await next_one(told)
        assert told.empty()


async def test_pooler_is_said_once_and_not_listened_to(caplog: pytest.LogCaptureFixture) -> None:
    """Where a pooler is between nothing is told, which is logged once and is no error; it is tried again minutes later."""
    pauses: list[float] = []
    twice = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            twice.set()
            await asyncio.sleep(60)

    behind = [StandIn(answer=2), StandIn(answer=2)]
    with caplog.at_level(logging.INFO):
        async with listening(ScriptedSource(*behind), sleep=sleep) as told:
            await asyncio.wait_for(twice.wait(), WITHIN)
            assert told.empty()
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "changes are polled" in caplog.text
    assert all(300 <= pause <= 600 for pause in pauses)
    assert all(connection.terminated for connection in behind)
