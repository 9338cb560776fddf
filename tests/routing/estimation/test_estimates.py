from __future__ import annotations

import pytest

from gateway.catalog import ModelKey
from gateway.catalog.catalog import TIERS, Model
from gateway.routing.estimation.bayesian_regression import PosteriorVariances, prior
from gateway.routing.estimation.estimates import OWN_PRECISION, Estimates
from gateway.routing.prompt.features import SIZE, prompt_facts
from tests.routing.worlds import COMPLEX, FLASH, HAIKU, MODERATE, SIMPLE, SONNET


@pytest.mark.parametrize("prompt", [SIMPLE, MODERATE, COMPLEX])
def test_stronger_tiers_are_expected_to_do_better(prompt: str) -> None:
    """Without data a tier's prior is what is expected, whatever the prompt."""
    simple, moderate, complex_ = (
        Estimates().of(model, prompt_facts(prompt)).quality for model in (FLASH, HAIKU, SONNET)
    )

    assert simple < moderate < complex_


def test_weaker_tiers_lose_more_on_complex_prompts() -> None:
    """What separates the tiers grows with complexity: a greeting is safe with any."""
    quality = {
        (tier, prompt): Estimates().of(model, prompt_facts(prompt)).quality
        for tier, model in zip(TIERS, (FLASH, HAIKU, SONNET), strict=True)
        for prompt in (SIMPLE, COMPLEX)
    }

    assert quality["simple", SIMPLE] - quality["simple", COMPLEX] > 0.3
    assert quality["complex", SIMPLE] - quality["complex", COMPLEX] < 0.15


def test_model_without_outcomes_has_low_confidence() -> None:
    """No outcomes, low confidence, the standard deviation of the prior."""
    estimate = Estimates().of(SONNET, prompt_facts(MODERATE))

    assert (estimate.outcomes, estimate.confidence, estimate.has_outcomes) == (0, "low", False)
    assert estimate.std == pytest.approx(0.2)


def test_quality_is_clamped_to_its_range() -> None:
    """Quality is 0 to 1 for any weights."""
    model = Model("gemini", "x", "simple", 0.1, 0.1)
    for weight, quality in ((9.0, 1.0), (-9.0, 0.0)):
        weights = {ModelKey("gemini", "x"): (weight, *[0.0] * (SIZE - 1))}
        assert Estimates(model_weights=weights).of(model, prompt_facts(SIMPLE)).quality == quality


def test_posterior_std_shrinks_where_outcomes_are() -> None:
    """Outcomes on one kind of prompt reduce its standard deviation most, that of others less, and never increase it."""
    seen, other = prompt_facts(MODERATE), prompt_facts("Solve 3x + 5 = 20")
    posterior = prior(OWN_PRECISION)
    for _ in range(50):
        posterior = posterior.update(seen.vector, 1.0, weight=1.0)
    posteriors = {ModelKey("gemini", "x"): posterior}
    for estimates in (
        Estimates(posteriors=posteriors),
        Estimates(posteriors=posteriors, posterior_variances=PosteriorVariances(posteriors)),
    ):
        there, elsewhere = (estimates.posterior_std(facts)(ModelKey("gemini", "x")) for facts in (seen, other))

        assert there < elsewhere / 2
        assert elsewhere < estimates.max_posterior_std(other)
