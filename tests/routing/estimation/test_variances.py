from __future__ import annotations

import pytest

from gateway.routing.estimation.bayesian_regression import GaussianPosterior, prior
from gateway.routing.estimation.variances import Key, PosteriorVariances

ONE, OTHER = ("gemini", "one"), ("claude", "other")
X = (1.0, -0.5, 2.0)


def taught(*qualities: float) -> GaussianPosterior:
    posterior = prior((12.0, 60.0, 60.0))
    for quality in qualities:
        posterior = posterior.update((1.0, 0.3, 0.0), quality, weight=1.0)
    return posterior


def variances(posteriors: dict[Key, GaussianPosterior]) -> dict[Key, object]:
    return {key: pytest.approx(posterior.variance(X), rel=1e-12) for key, posterior in posteriors.items()}


def test_all_at_once_are_as_sure_as_each_by_itself() -> None:
    """The variances are those of the beliefs."""
    posteriors = {ONE: taught(1.0, 0.0, 0.5), OTHER: taught()}

    assert PosteriorVariances(posteriors).variances(X) == variances(posteriors)


def test_what_changed_is_read_anew() -> None:
    """From an earlier certainty only beliefs that are the same are taken over; models come and go."""
    third = ("openrouter", "third")
    before = PosteriorVariances({ONE: taught(1.0), OTHER: (same := taught())})
    posteriors = {third: taught(0.2), OTHER: same, ONE: taught(1.0, 1.0)}

    assert PosteriorVariances(posteriors, before).variances(X) == variances(posteriors)


def test_no_variance_is_negative() -> None:
    """Rounding may leave less than nothing, which has no root."""
    assert PosteriorVariances({ONE: GaussianPosterior(([-1e-18],), (0.0,))}).variances((1.0,)) == {ONE: 0.0}
