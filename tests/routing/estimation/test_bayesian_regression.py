from __future__ import annotations

import random

import pytest

from gateway.catalog import ModelKey
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, PosteriorVariances, prior


def test_posterior_mean_is_the_ridge_solution() -> None:
    """Without decay, sequential updates give the closed form: for one feature, sum xy / (precision + sum xx)."""
    posterior = prior([2.0])
    for x, y, weight in [(1.0, 3.0, 1.0), (2.0, 5.0, 1.0), (1.0, 1.0, 0.5)]:
        posterior = posterior.update([x], y, weight=weight)

    assert posterior.mean[0] == pytest.approx((3 + 10 + 0.5) / (2 + 1 + 4 + 0.5))


def test_weights_of_a_linear_function_are_learned() -> None:
    """With enough observations the prior hardly matters."""
    draw = random.Random(1).uniform  # a repeatable sample, no secret
    posterior = prior([1.0, 1.0, 1.0])
    for _ in range(300):
        x = [1.0, draw(-1, 1), draw(-1, 1)]
        posterior = posterior.update(x, 0.5 + 0.3 * x[1] - 0.2 * x[2], weight=1.0)

    assert posterior.mean == pytest.approx((0.5, 0.3, -0.2), abs=0.02)


def test_decay_returns_to_the_prior() -> None:
    """Without observations the posterior converges to the prior; a decay by half halves the mean."""
    precision = [2.0, 4.0]
    posterior = prior(precision).update([1.0, 1.0], 1.0, weight=10.0)
    for _ in range(2000):
        posterior = posterior.decay(0.99, precision)

    assert posterior.mean == pytest.approx((0.0, 0.0), abs=1e-6)
    assert [posterior.variance(x) for x in ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0])] == pytest.approx([0.5, 0.25, 0.75])
    half = prior(precision).update([1.0, 0.0], 1.0, weight=10.0).decay(0.5, precision)
    assert half.mean[0] == pytest.approx(0.5 * 10 / 12)


def test_decay_adapts_to_a_change_faster() -> None:
    """After a change of the true weights, the posterior with decay has adapted while the one without has not."""
    precision = [4.0]
    decaying, static = prior(precision), prior(precision)
    for y in [1.0] * 500 + [0.0] * 100:
        decaying = decaying.update([1.0], y, weight=1.0).decay(0.99, precision)
        static = static.update([1.0], y, weight=1.0)

    assert decaying.mean[0] < 0.2
    assert static.mean[0] > 0.7


def test_inflation_keeps_the_mean() -> None:
    """More uncertainty does not change the expected weights."""
    posterior = prior([2.0]).update([1.0], 1.0, weight=100.0)

    inflated = posterior.inflate(0.25, [2.0])

    assert inflated.mean == posterior.mean
    assert inflated.variance([1.0]) == pytest.approx(0.25 / 102 + 0.75 / 2)


def test_update_returns_a_new_posterior() -> None:
    """The old posterior does not change, because another thread may read it; rows of features that were never observed are shared."""
    before = prior([1.0, 1.0])

    after = before.update([1.0, 0.0], 1.0, weight=1.0)

    assert before == prior([1.0, 1.0])
    assert after.covariance[0] == [0.5, 0.0]
    assert after.covariance[1] is before.covariance[1]


def test_variance_shrinks_with_observations() -> None:
    """The variance falls in the observed directions: 1 / (precision + sum xx) for one feature."""
    posterior = prior([2.0, 2.0]).update([1.0, 0.0], 1.0, weight=1.0)

    assert posterior.variance([1.0, 0.0]) == pytest.approx(1 / 3)
    assert posterior.variance([0.0, 1.0]) == pytest.approx(1 / 2)


ONE, OTHER = ModelKey("gemini", "one"), ModelKey("claude", "other")
X = (1.0, -0.5, 2.0)


def taught(*qualities: float) -> GaussianPosterior:
    posterior = prior((12.0, 60.0, 60.0))
    for quality in qualities:
        posterior = posterior.update((1.0, 0.3, 0.0), quality, weight=1.0)
    return posterior


def variances(posteriors: dict[ModelKey, GaussianPosterior]) -> dict[ModelKey, object]:
    return {key: pytest.approx(posterior.variance(X), rel=1e-12) for key, posterior in posteriors.items()}


def test_vectorised_variances_equal_single_ones() -> None:
    """They are those of the posteriors."""
    posteriors = {ONE: taught(1.0, 0.0, 0.5), OTHER: taught()}

    assert PosteriorVariances(posteriors).variances(X) == variances(posteriors)


def test_only_changed_posteriors_are_converted_again() -> None:
    """Converted posteriors are reused only if they are the same objects; models may be added and removed."""
    third = ModelKey("openrouter", "third")
    before = PosteriorVariances({ONE: taught(1.0), OTHER: (same := taught())})
    posteriors = {third: taught(0.2), OTHER: same, ONE: taught(1.0, 1.0)}

    assert PosteriorVariances(posteriors, before).variances(X) == variances(posteriors)


def test_no_variance_is_negative() -> None:
    """Rounding errors below 0 are clipped, so that the square root exists."""
    assert PosteriorVariances({ONE: GaussianPosterior(([-1e-18],), (0.0,))}).variances((1.0,)) == {ONE: 0.0}
