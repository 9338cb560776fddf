"""The interval of a sum of baseline costs."""

from __future__ import annotations

import pytest

from gateway.savings.baseline_total import BaselineGroup, total_interval


def test_a_common_error_does_not_average_out() -> None:
    """A hundred times the rows of one baseline have an interval a hundred times as wide."""
    assert total_interval([BaselineGroup(50.0, 100.0, 200.0)]) == (50.0, 100.0, 200.0)
    assert total_interval([BaselineGroup(5_000.0, 10_000.0, 20_000.0)]) == (5_000.0, 10_000.0, 20_000.0)


def test_errors_of_two_baselines_are_independent() -> None:
    low, middle, high = total_interval([BaselineGroup(7.0, 10.0, 13.0), BaselineGroup(16.0, 20.0, 24.0)])
    assert [low, middle, high] == pytest.approx([25.0, 30.0, 35.0])


def test_single_answers_vary_too() -> None:
    """Where the ratio is known exactly, what is left is the variation of the answers; nothing costs less than zero."""
    low, middle, high = total_interval([BaselineGroup(1.0, 1.0, 1.0, squares=1.0)])
    assert [low, middle, high] == pytest.approx([0.0, 1.0, 2.96])
    assert total_interval([]) == (0.0, 0.0, 0.0)
