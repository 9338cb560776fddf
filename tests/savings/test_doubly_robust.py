"""Weights, jackknife errors and effective sample sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gateway.savings.doubly_robust import MAX_WEIGHT, GroupTotals, effective_size, importance_weights, ratio, student
from tests.store.pages import page, row, two


def test_recorded_choice_of_the_other_policy_has_the_inverse_probability() -> None:
    """Only where the other choice happens to be recorded does the outcome count, once for each chance that it had."""
    small, large = two()
    columns = page(row(1), row(2, candidates=[large, small], propensity=0.02), row(3))
    found = importance_weights(columns, np.array([1, 1, 0]))
    assert found.changed.tolist() == [True, True, False]
    assert found.covered.tolist() == [True, True, False]
    assert found.weight.tolist() == pytest.approx([0.0, 50.0, 0.0])


def test_choice_without_a_chance_is_not_covered() -> None:
    """A choice with probability zero could not have been recorded."""
    certain = [*two(1.0)]
    found = importance_weights(page(row(candidates=certain, propensity=1.0)), np.array([1]))
    assert (found.changed[0], found.covered[0], found.weight[0]) == (True, False, 0.0)


def test_weights_are_clipped() -> None:
    """A very unlikely choice does not decide the result."""
    small, large = two(0.9999)
    columns = page(row(candidates=[large, small], propensity=0.0001))
    assert importance_weights(columns, columns.chosen).weight.tolist() == [MAX_WEIGHT]


def test_jackknife_error_of_a_mean_is_the_classical_one() -> None:
    """For a mean over groups of one value each, the jackknife is the standard error of the mean."""
    values = np.random.default_rng(1).normal(size=200)
    sums = GroupTotals(2)
    sums.add(np.arange(200), np.ones(200), values)
    estimated = sums.jackknife(lambda quantities: ratio(quantities[..., 1], quantities[..., 0]))
    assert estimated.value == pytest.approx(values.mean())
    assert estimated.error == pytest.approx(values.std(ddof=1) / math.sqrt(200))


def test_repeated_turns_of_a_conversation_add_no_certainty() -> None:
    """Ten equal turns of a conversation tell as much as one."""
    values = np.random.default_rng(1).normal(size=100)
    once, tenfold = GroupTotals(2), GroupTotals(2)
    once.add(np.arange(100), np.ones(100), values)
    tenfold.add(np.repeat(np.arange(100), 10), np.ones(1000), np.repeat(values, 10))
    errors = [each.jackknife(lambda q: ratio(q[..., 1], q[..., 0])).error for each in (once, tenfold)]
    assert errors[0] == pytest.approx(errors[1])
    assert tenfold.effective_groups(0) == pytest.approx(100)


def test_one_group_has_no_error() -> None:
    """The spread of a single conversation is not known."""
    sums = GroupTotals(1)
    sums.add(np.array([3, 3]), np.ones(2))
    assert math.isnan(sums.jackknife(lambda quantities: quantities[..., 0]).error)
    assert sums.groups_with(0) == 1


def test_effective_size_is_the_count_of_equal_weights() -> None:
    """Equal weights count fully, one large weight counts as one; nothing is nothing."""
    assert effective_size(10 * 3.0, 10 * 9.0) == 10
    assert effective_size(1000.0 + 9, 1000.0**2 + 9) == pytest.approx(1.02, abs=0.01)
    assert effective_size(0.0, 0.0) == 0.0


@pytest.mark.parametrize(("degrees", "quantile"), [(4, 2.776), (9, 2.262), (49, 2.010), (511, 1.965)])
def test_student_quantile(degrees: float, quantile: float) -> None:
    """The approximation is within a hundredth of the tables."""
    assert student(degrees) == pytest.approx(quantile, abs=0.01)
