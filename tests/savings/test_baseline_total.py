"""The interval of a sum of baseline costs."""

from __future__ import annotations

import pytest

from gateway.savings.baseline_total import BaselineGroup, total_interval


def test_independent_noise_adds_as_squares() -> None:
    """What varies from row to row widens the interval by the root of the squares; the low end is never below zero."""
    low, middle, high = total_interval([BaselineGroup(10.0, 10.0, 10.0, squares=4.0)])
    assert middle == 10.0
    assert high - middle == pytest.approx(2 * 1.96)
    assert low == pytest.approx(10 - 2 * 1.96)
    assert total_interval([BaselineGroup(0.1, 1.0, 2.0, squares=9.0)])[0] == 0.0
