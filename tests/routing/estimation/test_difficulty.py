from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.routing.estimation.bayesian_regression import dot
from gateway.routing.estimation.difficulty import (
    PRIOR_FAILURE_RATE,
    PRIOR_WEIGHTS,
    FailurePrior,
    FailureRate,
    PromptDifficulty,
    expected_weights,
    failure_prior,
    reference_failure_rate,
    typical_quality,
)
from gateway.routing.prompt.features import SIZE, prompt_facts
from tests.routing.worlds import MODERATE, SONNET

SIMPLE_PRIOR = FailurePrior(PRIOR_FAILURE_RATE["simple"])
MIDDLING = (1.0, *[0.0] * (SIZE - 1))


def learned(difficulty: PromptDifficulty, *, quality: float, times: int, rate: float = 1.0) -> PromptDifficulty:
    for _ in range(times):
        difficulty = difficulty.update(MIDDLING, quality, rate=rate, weight=1.0)
    return difficulty


def test_prior_quality_is_that_of_a_middling_request() -> None:
    """What is promised of each tier without data is what its rate of failure amounts to."""
    qualities = {tier: typical_quality(FailurePrior(rate)) for tier, rate in PRIOR_FAILURE_RATE.items()}
    assert qualities == pytest.approx({"simple": 0.7, "moderate": 0.8, "complex": 0.9})


def test_strong_models_are_ahead_where_it_is_hard() -> None:
    """Failures of any model widen the expected distance between the tiers."""
    weights = learned(PromptDifficulty(), quality=0.2, times=40).weights
    before = 0.9 - 0.7
    after = dot(MIDDLING, expected_weights(0.5, weights)) - dot(MIDDLING, expected_weights(1.5, weights))

    assert after > 1.5 * before


def test_failures_of_a_weak_model_are_less_surprising() -> None:
    """The same outcomes say more about what is hard when they come from a model that seldom fails."""
    weak = learned(PromptDifficulty(), quality=0.5, times=40, rate=1.5).weights
    strong = learned(PromptDifficulty(), quality=0.5, times=40, rate=0.5).weights

    assert dot(MIDDLING, strong) > dot(MIDDLING, weak) > dot(MIDDLING, PRIOR_WEIGHTS)


def test_few_outcomes_move_all_models_little() -> None:
    """One failure of one model is hardly evidence about others; many are."""
    once = dot(MIDDLING, learned(PromptDifficulty(), quality=0.0, times=1).weights)
    often = dot(MIDDLING, learned(PromptDifficulty(), quality=0.0, times=60).weights)

    assert once < 0.23
    assert often > 0.6


def test_shared_difficulty_decays() -> None:
    """Difficulty learned long ago returns to the prior."""
    difficulty = learned(PromptDifficulty(), quality=0.0, times=60)
    decayed = difficulty
    for _ in range(500):
        decayed = decayed.decay(0.98)

    assert dot(MIDDLING, decayed.weights) == pytest.approx(0.2, abs=0.01)


def test_rate_starts_at_the_tiers_and_is_learned() -> None:
    """A record without outcomes has the tier's rate, a long one its own, and a decayed one leans back."""
    record = FailureRate()
    assert record.rate(SIMPLE_PRIOR) == PRIOR_FAILURE_RATE["simple"]
    for _ in range(200):
        record = record.plus(failed=0.1, expected=0.2)

    assert record.rate(SIMPLE_PRIOR) == pytest.approx(0.5, abs=0.1)
    assert record.decay(0.1).rate(SIMPLE_PRIOR) == pytest.approx(1.0, abs=0.1)


def test_chance_to_fail_stays_a_chance() -> None:
    """However far the weights reach."""
    assert reference_failure_rate(MIDDLING, tuple([9.0] * SIZE)) == 0.98
    assert reference_failure_rate(MIDDLING, tuple([-9.0] * SIZE)) == 0.02
    assert reference_failure_rate(prompt_facts(MODERATE).vector, PRIOR_WEIGHTS) == pytest.approx(0.2, abs=0.05)


def test_strength_replaces_the_tier_and_is_as_firm_as_its_evidence() -> None:
    """A model of public strength 0 is the reference model, whatever its tier; a wide error is worth fewer outcomes, never fewer than a tier."""
    median, strong, vague = (
        replace(SONNET, strength=s, strength_error=e) for s, e in ((0.0, 0.25), (1.0, 0.25), (1.0, 0.7))
    )
    wild = failure_prior(replace(SONNET, strength=-9.0, strength_error=9.0))

    assert failure_prior(median).rate == pytest.approx(1.0)
    assert failure_prior(strong).rate == failure_prior(vague).rate == pytest.approx(0.603, abs=0.001)
    assert (
        failure_prior(strong).rate_count
        > failure_prior(vague).rate_count
        > wild.rate_count
        == failure_prior(SONNET).rate_count
    )
    assert wild.rate == pytest.approx(2.642, abs=0.001)
