"""Waits for PostgreSQL's notifications on a connection of its own. Some may be lost, so its users also poll."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from gateway.errors import GatewayError
from gateway.store.postgres.connection import CONNECT_TIMEOUT, PostgresSource, limited

log = logging.getLogger(__name__)

# Seconds between attempts to connect; each is shortened at random, so that replicas do not all come at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# Seconds until it is tried again whether a pooler is still between.
_POOLED_PAUSE = 600.0
# Seconds after which a silent connection is asked whether it still works.
_CHECK_SECONDS = 15.0


class NotificationListener:
    """Calls `notified` for each notification of a channel, and once after it connected: something may have happened before.

    A pooler between (PgBouncer) does not pass notifications on. It is recognised, said once, and nothing is listened to.
    """

    def __init__(
        self,
        source: PostgresSource,
        channel: str,
        *,
        notified: Callable[[], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        self._source = source
        self._channel = channel
        self._notified = notified
        self._sleep = sleep
        self._check_seconds = check_seconds
        self._pause = _FIRST_PAUSE
        self._told = False

    async def run(self) -> None:
        """Runs until cancelled. A connection that is lost is replaced."""
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, GatewayError):
                log.debug("no notifications from %s for the moment", self._source.address.name, exc_info=True)
            await self._sleep(self._pause * random.uniform(0.5, 1.0))
            self._pause = min(2 * self._pause, max(self._pause, _LONGEST_PAUSE))

    async def _listen(self) -> None:
        """Returns when the connection has ended, or cannot have notifications."""
        connection = await self._source.connect()
        try:
            if not self._source.is_direct:
                self._pause = _POOLED_PAUSE
                if not self._told:
                    log.info(
                        "a pooler before %s passes no notifications on; changes are polled", self._source.address.name
                    )
                self._told = True
                return
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _: ended.set())
            listening = connection.add_listener(self._channel, lambda *_: self._notified())
            await limited(connection, listening, seconds=CONNECT_TIMEOUT)
            self._pause = _FIRST_PAUSE
            self._notified()
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), self._check_seconds)
                    return
                await limited(connection, connection.execute("SELECT 1"), seconds=CONNECT_TIMEOUT)
        finally:
            connection.terminate()
