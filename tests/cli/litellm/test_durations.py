"""LiteLLM's durations."""

from __future__ import annotations

import pytest

from gateway.cli.litellm.durations import budget_of, seconds_of


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("30s", 30), ("2h", 7200), ("7d", 604_800), ("1mo", 2_592_000), ("daily", 86_400), ("0d", None), ("soon", None)],
)
def test_durations(duration: str, seconds: int | None) -> None:
    """A number and a unit, or a word for a window."""
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize(
    ("duration", "budget", "same"),
    [
        (None, "10/total", True),
        ("", "10/total", True),
        ("1h", "10/hour", True),
        ("24h", "10/day", True),
        ("7d", "10/week", True),
        ("30d", "10/month", True),
        ("31d", "10/month", True),
        ("30m", "20/hour", False),
        ("12h", "20/day", False),
        ("2d", "5/day", False),
        ("60d", "5/month", False),
    ],
)
def test_budgets(duration: str | None, budget: str, same: bool) -> None:
    """The window of the same length, else the nearest with as much money by time."""
    found, is_same = budget_of(10, duration)
    assert (str(found), is_same) == (budget, same)


def test_an_unknown_duration_is_an_error() -> None:
    """A limit whose period is not known is never taken for another one."""
    with pytest.raises(ValueError, match="no duration"):
        budget_of(10, "fortnight")
