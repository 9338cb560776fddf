"""What keys have spent of their budgets, read now and then, so that a scrape does not wait for the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.accounts.budgets import period
from gateway.observability.key_metrics import MAX_KEYS, KeyBudget
from gateway.store import Store


class KeyBudgetReader:
    """`budgets` are those of the first MAX_KEYS usable keys that have one, as they were at the last `refresh`.

    They are read only while they are `wanted`.
    """

    def __init__(self, store: Store, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self.wanted = False
        self.budgets: Sequence[KeyBudget] = ()

    def refresh(self) -> None:
        """Blocks. Raises LedgerUnavailable."""
        now = self._now()
        found: list[KeyBudget] = []
        for key in self._store.virtual_keys() if self.wanted else ():
            if key.budget is not None and key.live(now) and len(found) < MAX_KEYS:
                found.append(KeyBudget(key, self._store.balance(key.id, period(key.budget.window, now))))
        self.budgets = found
