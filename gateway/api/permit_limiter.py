"""Limits the requests per minute of each virtual key over all replicas, by permits that a replica takes from the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from gateway.api.rate_limit import too_many
from gateway.errors import LedgerUnavailable
from gateway.store import EndedPermits, Permits
from gateway.store.replicas import PERMIT_SECONDS, WINDOW, PermitSource

# Permits are taken for what a key may do in this time, and given back after it where they are not used. Seconds.
SWEEP_SECONDS = 1.0
# After a refusal the ledger is asked again no sooner: another replica may have given something back. Seconds.
ASK_AGAIN_SECONDS = 0.5


@dataclass(slots=True)
class _KeyPermits:
    """What this replica holds for one key; times are of the limiter's clock. `taking` is the request for more, if one is under way."""

    permits: Permits | None = None
    taken_at: float = 0.0
    used: int = 0
    last_use: float = 0.0
    refused_at: float = float("-inf")
    wait: float = 0.0
    waiting: int = 0
    taking: asyncio.Task[None] | None = None

    def use(self, now: float) -> bool:
        """Use a permit, if there is one."""
        if self.permits is None or self.used >= self.permits.granted or now > self.taken_at + PERMIT_SECONDS:
            return False
        self.used += 1
        self.last_use = now
        return True

    def end(self) -> EndedPermits | None:
        """Give up what is held."""
        permits, self.permits = self.permits, None
        if permits is None:
            return None
        return EndedPermits(permits.number, self.used, max(0.0, self.last_use - self.taken_at))


class PermitLimiter:
    """At most `rpm` admitted requests of a key within any 60 seconds, over all replicas. `clock` is monotonic seconds.

    Requests that come together share one question to the ledger. What other replicas hold and do not use counts for a second or two, so
    a request may be refused a little early.
    """

    def __init__(
        self,
        source: PermitSource,
        clock: Callable[[], float],
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._clock = clock
        self._sleep = sleep
        self._keys: dict[str, _KeyPermits] = {}
        self._ended: list[EndedPermits] = []

    async def admit(self, key_id: str, *, rpm: int) -> None:
        """Raises RateLimited with the seconds until the next request may come, and LedgerUnavailable."""
        key = self._keys.setdefault(key_id, _KeyPermits())
        while not key.use(now := self._clock()):
            if now < key.refused_at + min(key.wait, ASK_AGAIN_SECONDS):
                raise too_many(rpm, wait=key.refused_at + key.wait - now)
            if key.taking is None:
                key.taking = asyncio.create_task(self._take(key, key_id, rpm=rpm))
                key.taking.add_done_callback(_retrieve)
            key.waiting += 1
            try:
                await asyncio.shield(key.taking)  # others wait for it too
            finally:
                key.waiting -= 1

    async def run(self) -> None:
        """Give unused permits back, every SWEEP_SECONDS until cancelled."""
        while True:
            await self._sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        """Give back what was held for SWEEP_SECONDS. While the ledger is away nothing is given back: it expires."""
        now = self._clock()
        for key_id, key in tuple(self._keys.items()):
            if key.permits is not None and now >= key.taken_at + SWEEP_SECONDS:
                self._end(key)
            if key.permits is None and key.taking is None and now >= key.refused_at + ASK_AGAIN_SECONDS:
                del self._keys[key_id]
        ended, self._ended = self._ended, []
        if ended:
            with suppress(LedgerUnavailable):
                await self._source.end_permits(ended)

    async def _take(self, key: _KeyPermits, key_id: str, *, rpm: int) -> None:
        try:
            await asyncio.sleep(0)  # requests of the same moment are counted as waiting
            wanted = max(1, key.waiting, int(rpm * SWEEP_SECONDS / WINDOW))
            asked_at = self._clock()
            permits = await self._source.take_permits(key_id, rpm=rpm, wanted=wanted)
        finally:
            key.taking = None
        self._end(key)
        if permits.granted:
            key.permits, key.taken_at, key.used, key.last_use = permits, asked_at, 0, asked_at
        if permits.wait:
            key.refused_at, key.wait = self._clock(), permits.wait

    def _end(self, key: _KeyPermits) -> None:
        if (ended := key.end()) is not None:
            self._ended.append(ended)


def _retrieve(task: asyncio.Task[None]) -> None:
    """An error of a request for permits that nobody waits for any more is not reported."""
    if not task.cancelled():
        task.exception()
