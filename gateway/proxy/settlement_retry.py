"""Requests whose row could not be closed because the ledger took no writes: kept here until it does."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.errors import LedgerUnavailable
from gateway.records import RequestRecord
from gateway.store import SettleRequest, Store

log = logging.getLogger(__name__)

SIZE = 10_000  # records, about 3 kB each
RETRY_SECONDS = 5.0


class SettlementRetryQueue:
    """Oldest first, `size` at most; used by one event loop. What is here when the process is killed is closed as `interrupted` by the next start."""

    def __init__(
        self, store: Store, *, size: int = SIZE, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._size = size
        self._waiting: deque[tuple[RequestRecord, Callable[[], None]]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._size

    def add(self, record: RequestRecord, then: Callable[[], None]) -> bool:
        """Whether there was room. `then` is called once the row is committed."""
        if not self.full:
            self._waiting.append((record, then))
            return True
        return False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._sleep(RETRY_SECONDS)
            await self.retry()

    async def retry(self) -> None:
        """Close what can be closed now."""
        while self._waiting:
            record, then = self._waiting[0]
            try:
                await self._store.write(SettleRequest(record))
            except LedgerUnavailable:
                return
            except Exception:  # a row at fault must not keep the others waiting
                log.exception("the row of %s cannot be written", record.request_id)
            else:
                then()
            self._waiting.popleft()
