"""What something costs on a UTC day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.accounts.daily_spending import DailySpending


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 29, 23, 50, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Ledger:
    def __init__(self) -> None:
        self.days: list[str] = []

    def __call__(self, *, since: str) -> Decimal:
        self.days.append(since)
        return Decimal("0.7")


def test_a_refresh_reads_what_all_processes_spent() -> None:
    """The ledger's sum of the day replaces what this process added, so neither a restart nor another worker raises a cap."""
    ledger = Ledger()
    spending = DailySpending(ledger, now=Clock())
    spending.add(Decimal("0.5"))
    assert spending.spent == Decimal("0.5")
    spending.refresh()
    spending.add(Decimal("0.1"))
    assert (spending.spent, ledger.days) == (Decimal("0.8"), ["2026-11-29"])


def test_each_day_begins_at_zero() -> None:
    """At midnight UTC nothing is spent, until something is added."""
    clock = Clock()
    spending = DailySpending(Ledger(), now=clock)
    spending.add(Decimal("0.5"))
    clock.now += timedelta(minutes=10)
    assert spending.spent == 0
    spending.add(Decimal("0.2"))
    assert spending.spent == Decimal("0.2")
