"""Amounts of money for people."""

from __future__ import annotations

import pytest

from gateway.api.dashboard.figures import usd


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1234.5, "$1,234.50"),
        (-2.0, "-$2.00"),
        (0.01, "$0.01"),
        (0.000031, "$0.000031"),
    ],
)
def test_usd_has_cents_or_all_digits(amount: float | None, text: str) -> None:
    """An amount has cents from one cent up, else all its digits; an unknown one says so."""
    assert usd(amount) == text
