"""Where the dashboard's bars stand."""

from __future__ import annotations

import pytest

from gateway.api.dashboard.figures import HEIGHT, cost_bars, shares, usd


def test_bars_scale_to_the_highest_bucket() -> None:
    """The dearest bucket fills the height; an empty timeline has no bars."""
    rows = [
        {"bucket": "2026-11-21", "total_cost": 1.0, "total_baseline_cost": 2.0, "total_savings": 1.0},
        {"bucket": "2026-11-22", "total_cost": 4.0, "total_baseline_cost": 4.0, "total_savings": 0.0},
    ]
    first, second = cost_bars(rows)
    assert (second.spent, first.spent, first.baseline) == (HEIGHT, HEIGHT / 4, HEIGHT / 2)
    assert first.x < second.x
    assert "saved $1.00" in first.label
    assert cost_bars([]) == []


def test_free_buckets_have_no_height() -> None:
    """Where nothing was spent nothing is divided by zero."""
    row = {"bucket": "2026-11-21", "total_cost": 0.0, "total_baseline_cost": 0.0, "total_savings": 0.0}
    assert cost_bars([row])[0].baseline == 0


def test_shares_are_parts_of_the_whole() -> None:
    """Largest first, parts add up to one."""
    rows = shares({"a": (1, ""), "b": (3, "note")})
    assert [(row.name, row.part) for row in rows] == [("b", 0.75), ("a", 0.25)]
    assert shares({}) == []


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unknown"),
        (0.0, "$0.00"),
        (1234.5, "$1,234.50"),
        (-0.5, "-$0.50"),
        (0.000123, "$0.000123"),
        (-0.000123, "-$0.000123"),
    ],
)
def test_usd_shows_cents_or_as_many_digits_as_needed(amount: float | None, shown: str) -> None:
    """Cents where there are any, else as many digits as it takes."""
    assert usd(amount) == shown
