"""What something costs on the current UTC day, by all processes on the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol


class CostReader(Protocol):
    def __call__(self, *, since: str) -> Decimal:
        """USD since then (UTC, ISO 8601)."""


class DailySpending:
    """USD of the day: what the ledger said at the last `refresh`, and what was added here since."""

    def __init__(self, read: CostReader, *, now: Callable[[], datetime]) -> None:
        self._read = read
        self._now = now
        self._day: date | None = None
        self._spent = Decimal(0)

    def refresh(self) -> None:
        """Reads the day's sum from the ledger. Blocks. Raises LedgerUnavailable."""
        day = self._today()
        spent = self._read(since=day.isoformat())
        self._day, self._spent = day, spent

    def add(self, cost: Decimal) -> None:
        """Adds `cost` at once, before the next refresh."""
        self._spent = self.spent + cost
        self._day = self._today()

    @property
    def spent(self) -> Decimal:
        return self._spent if self._day == self._today() else Decimal(0)

    def _today(self) -> date:
        return self._now().date()
