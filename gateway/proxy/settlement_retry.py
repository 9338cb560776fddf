"""Keeps rows that could not be settled while the ledger was unavailable, and writes them later."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime

from gateway.errors import LedgerUnavailable
from gateway.records import RequestRecord
from gateway.store import SettleRequest, Store

log = logging.getLogger(__name__)

SIZE = 10_000  # records, about 3 kB each
RETRY_SECONDS = 5.0


class SettlementRetryQueue:
    """At most `size` rows, oldest first, for one event loop.

    If the process is killed, the next start closes their requests as `interrupted`.
    """

    def __init__(
        self, store: Store, *, size: int = SIZE, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._size = size
        self._queue: deque[tuple[RequestRecord, Callable[[], None]]] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        return len(self._queue) >= self._size

    def lag(self, now: datetime) -> float:
        """Seconds since the request of the oldest waiting row began; 0 while none waits."""
        if not self._queue:
            return 0.0
        return (now - datetime.fromisoformat(self._queue[0][0].timestamp)).total_seconds()

    def add(self, record: RequestRecord, then: Callable[[], None]) -> bool:
        """Add a row; False if the queue is full. `then` is called once the row is committed."""
        if not self.full:
            self._queue.append((record, then))
            return True
        return False

    async def run(self) -> None:
        """Retry every RETRY_SECONDS until cancelled."""
        while True:
            await self._sleep(RETRY_SECONDS)
            await self.retry()

    async def retry(self) -> None:
        """Write the rows, up to the first one that the ledger does not take."""
        while self._queue:
            record, then = self._queue[0]
            try:
                await self._store.write(SettleRequest(record))
            except LedgerUnavailable:
                return
            except Exception:  # a row that cannot be written must not block the others
                log.exception("the row of %s cannot be written", record.request_id)
            else:
                then()
            self._queue.popleft()
