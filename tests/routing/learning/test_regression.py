from __future__ import annotations

import random

import pytest

from gateway.routing.learning.regression import prior


def test_posterior_is_the_ridge_solution() -> None:
    """Updates one at a time lead to the closed form: for one feature, (precision * mean + sum xy) / (precision + sum xx)."""
    posterior = prior([2.0])
    for x, y, weight in [(1.0, 3.0, 1.0), (2.0, 5.0, 1.0), (1.0, 1.0, 0.5)]:
        posterior = posterior.learned([x], y, weight=weight)

    assert posterior.mean([1.0], [2.0])[0] == pytest.approx((2 * 1 + 3 + 10 + 0.5) / (2 + 1 + 4 + 0.5))


def test_weights_of_a_linear_truth_are_found() -> None:
    """With enough observations the prior hardly matters."""
    draw = random.Random(1).uniform  # a repeatable sample, no secret
    precision = [1.0, 1.0, 1.0]
    posterior = prior(precision)
    for _ in range(300):
        x = [1.0, draw(-1, 1), draw(-1, 1)]
        posterior = posterior.learned(x, 0.5 + 0.3 * x[1] - 0.2 * x[2], weight=1.0)

    assert posterior.mean([0.0, 0.0, 0.0], precision) == pytest.approx((0.5, 0.3, -0.2), abs=0.02)


def test_learning_makes_a_new_belief() -> None:
    """A belief that another thread reads does not change under it, and features never seen stay as they were."""
    before = prior([1.0, 1.0])

    after = before.learned([1.0, 0.0], 1.0, weight=1.0)

    assert before == prior([1.0, 1.0])
    assert after.covariance[0] == [0.5, 0.0]
    assert after.covariance[1] is before.covariance[1]


def test_variance_shrinks_with_observations() -> None:
    """The prediction is surer where something was seen: 1 / (precision + sum xx) for one feature."""
    posterior = prior([2.0, 2.0]).learned([1.0, 0.0], 1.0, weight=1.0)

    assert posterior.variance([1.0, 0.0]) == pytest.approx(1 / 3)
    assert posterior.variance([0.0, 1.0]) == pytest.approx(1 / 2)
