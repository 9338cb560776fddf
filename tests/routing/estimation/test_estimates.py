from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog import ModelKey
from gateway.catalog.catalog import TIERS, Model
from gateway.routing.estimation.bayesian_regression import PosteriorVariances, prior
from gateway.routing.estimation.difficulty import FailurePrior
from gateway.routing.estimation.estimates import Estimates, own_precision
from gateway.routing.estimation.estimator import Estimator
from gateway.routing.estimation.evidence import bucket_of, similar
from gateway.routing.estimation.examples import Observation
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.prompt.features import SIZE, prompt_facts
from gateway.routing.types import Outcome
from tests.routing.worlds import COMPLEX, FLASH, HAIKU, MODERATE, SIMPLE, SONNET, THREE


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
    posterior = prior(own_precision(FailurePrior(1.0)))
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


LEARNED = Estimator(THREE).learn(
    [
        Observation(
            key,
            (facts := prompt_facts(prompt)).pattern,
            facts.complexity,
            facts.features,
            Outcome(quality=quality, cost=0.001, input_tokens=900, output_tokens=70),
        )
        for key, quality in ((FLASH.key, 0.2), (SONNET.key, 0.9))
        for prompt in (SIMPLE, MODERATE, COMPLEX) * 4
    ]
)


@given(
    st.permutations([FLASH, HAIKU, SONNET]), st.integers(1, 3), st.sampled_from([SIMPLE, MODERATE, COMPLEX, "x = 1"])
)
def test_a_models_estimates_do_not_depend_on_the_other_models(models: list[Model], count: int, prompt: str) -> None:
    """In any set of models, in any order and asked again, a model has the estimate and cost that it has alone."""
    columns, facts = ModelColumns(models[:count]), prompt_facts(prompt)
    for _ in range(2):
        estimates, costs = LEARNED.across(columns, facts), LEARNED.costs(columns, facts, max_tokens=200)

        assert [estimates.row(place) for place in range(count)] == [
            LEARNED.of(model, facts) for model in models[:count]
        ]
        assert costs == [LEARNED.costs(ModelColumns([model]), facts, max_tokens=200)[0] for model in models[:count]]


def test_evidence_is_that_of_each_models_similar_outcomes() -> None:
    """The columns say for each model what its own outcomes on similar prompts say."""
    facts = prompt_facts(MODERATE)
    evidence = LEARNED.evidence(ModelColumns([HAIKU, SONNET]), facts)
    stats = similar(LEARNED.bucket_stats, bucket_of(SONNET.key, pattern=facts.pattern, complexity=facts.complexity))

    assert evidence.tried == [1]
    assert evidence.has_outcomes == [False, True]
    assert evidence.outcomes == [0, int(stats.count)]
    assert evidence.support > stats.count
