"""Counts the requests that are refused before they are routed: they have no row, but a report names them by cause."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from gateway.errors import GatewayError, LedgerUnavailable
from gateway.store import AddRefusals, RefusalCount, Store

FLUSH_SECONDS = 10.0
MAX_COUNTERS = 10_000  # while the ledger is away; further causes and keys are not counted


class RefusalCounter:
    """`observe` gets the cause of each refusal and the key. Adds up in memory by hour, cause (the error's code) and key, and writes to the ledger from time to time."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        most: int = MAX_COUNTERS,
        observe: Callable[[str, str | None], None] = lambda cause, key_id: None,
    ) -> None:
        self._observe = observe
        self._most = most
        self._store = store
        self._now = now
        self._counts: dict[tuple[str, str, str], int] = {}

    def count(self, error: GatewayError, *, key_id: str | None) -> None:
        """Cheap: called for every refused request."""
        cause = error.code or error.type
        self._observe(cause, key_id)
        key = (f"{self._now().astimezone(UTC):%Y-%m-%dT%H}", cause, key_id or "")
        if key in self._counts or len(self._counts) < self._most:
            self._counts[key] = self._counts.get(key, 0) + 1

    def flush(self) -> None:
        """Write what was counted; it is counted again later where the ledger cannot be written. Blocks."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            self._store.submit(AddRefusals([RefusalCount(*key, count) for key, count in counts.items()])).result()
        except LedgerUnavailable:
            for key, count in counts.items():
                self._counts[key] = self._counts.get(key, 0) + count
