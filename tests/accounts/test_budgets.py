"""Budgets, their calendar windows, and what a refusal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.accounts.budgets import (
    GLOBAL,
    HELD_RETRY_SECONDS,
    Balance,
    Budget,
    Hold,
    Window,
    period,
    refusal,
    resets,
    usd,
)

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)  # a Sunday
USD = 10**9


@pytest.mark.parametrize(
    ("text", "budget", "shown"),
    [
        ("5/day", Budget(5 * USD, "day"), "5/day"),
        ("$0.25/hour", Budget(250_000_000, "hour"), "0.25/hour"),
        (" 100 ", Budget(100 * USD, "total"), "100/total"),
        ("0.000000001/month", Budget(1, "month"), "0.000000001/month"),
        ("0/week", Budget(0, "week"), "0/week"),
    ],
)
def test_budgets_as_they_are_written(text: str, budget: Budget, shown: str) -> None:
    """A budget is USD per window, or in all; it is written as it is read."""
    assert Budget.parse(text) == budget
    assert str(budget) == shown


@pytest.mark.parametrize(
    "text", ["", "five/day", "-1/day", "1/fortnight", "1/day/2", "nan/day", "1e9/day", "5/", "9" * 10]
)
def test_what_is_no_budget(text: str) -> None:
    """Anything else is refused with the form that is expected."""
    with pytest.raises(ValueError, match="5/day"):
        Budget.parse(text)


@pytest.mark.parametrize(
    ("window", "name", "ends"),
    [
        ("hour", "hour 2026-11-22T10", datetime(2026, 11, 22, 11, tzinfo=UTC)),
        ("day", "day 2026-11-22T00", datetime(2026, 11, 23, tzinfo=UTC)),
        ("week", "week 2026-11-16T00", datetime(2026, 11, 23, tzinfo=UTC)),
        ("month", "month 2026-11-01T00", datetime(2026, 12, 1, tzinfo=UTC)),
        ("total", "total", None),
    ],
)
def test_windows_follow_the_utc_calendar(window: Window, name: str, ends: datetime | None) -> None:
    """Windows begin with the calendar's hours, days, Mondays and months in UTC, whatever zone a time is given in."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-11)))
    assert period(window, NOW) == period(window, elsewhere) == name
    assert resets(window, NOW) == resets(window, elsewhere) == ends


def test_a_year_ends_with_its_december() -> None:
    """The window of December ends with the year, that of a leap February after 29 days."""
    assert resets("month", datetime(2026, 12, 31, 23, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert resets("month", datetime(2028, 2, 1, tzinfo=UTC)) == datetime(2028, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("balance", "words", "retry_after"),
    [
        (Balance(used_nano=5 * USD), "The money is spent; it resets at 2026-11-23T00:00:00Z.", 13.5 * 3600),
        (Balance(used_nano=4_500_000_000), "What is left is too little; it resets at", 13.5 * 3600),
        (Balance(used_nano=USD, held_nano=4 * USD), "not spent, only held", HELD_RETRY_SECONDS),
    ],
    ids=["spent", "too little", "held"],
)
def test_a_refusal_says_where_the_money_is(balance: Balance, words: str, retry_after: float) -> None:
    """A refusal tells spent from held, and when asking again may help."""
    error = refusal(Hold("key_1", Budget(5 * USD, "day"), (2 * USD, USD), NOW), balance)
    assert words in error.message
    assert "This key's budget is 5 USD per day" in error.message
    assert error.retry_after == retry_after
    assert (error.status, error.type, error.code) == (429, "insufficient_quota", "budget_exceeded")


def test_a_total_never_resets() -> None:
    """A budget in all that is spent stays spent: there is nothing to wait for."""
    error = refusal(Hold(GLOBAL, Budget(USD), (USD,), NOW), Balance(used_nano=USD))
    assert "This gateway's budget is 1 USD in all" in error.message
    assert "does not reset" in error.message
    assert error.retry_after is None


def test_a_hold_expires_after_its_window() -> None:
    """A hold belongs to the window it was made in and outlives every request."""
    hold = Hold("key_1", Budget(USD, "day"), (1,), NOW)
    assert hold.period == "day 2026-11-22T00"
    assert hold.expires == NOW + timedelta(minutes=15)


@pytest.mark.parametrize(("nano", "text"), [(0, "0"), (1, "0.000000001"), (10 * USD, "10"), (1_500_000_000, "1.5")])
def test_nano_dollars_are_shown_in_plain_digits(nano: int, text: str) -> None:
    """Nano-dollars are shown in plain digits."""
    assert usd(nano) == text
