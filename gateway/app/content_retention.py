"""Deletes the prompts and answers of the ledger that are older than the retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.store import DeleteContents, Store

# Contents of one transaction: half a megabyte each at most, for which requests may have to wait.
PAGE = 20


class ContentRetention:
    """`days` may change at any time. Contents are deleted whether new ones are still kept or not."""

    def __init__(self, store: Store, *, now: Callable[[], datetime], days: int) -> None:
        self.days = days
        self._store = store
        self._now = now

    def delete(self) -> None:
        """Delete what is too old. Blocks. Raises LedgerUnavailable."""
        before = (self._now() - timedelta(days=self.days)).isoformat(timespec="milliseconds")
        while self._store.submit(DeleteContents(before, PAGE)).result() == PAGE:
            pass
