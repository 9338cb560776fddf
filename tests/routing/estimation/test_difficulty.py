from __future__ import annotations

import pytest

from gateway.catalog.catalog import TIERS
from gateway.routing.estimation.bayesian_regression import dot
from gateway.routing.estimation.difficulty import (
    PRIOR_FAILURE_RATE,
    PRIOR_QUALITY,
    PRIOR_WEIGHTS,
    AbilityPrior,
    FailureRate,
    PromptDifficulty,
    expected_weights,
    reference_failure_rate,
)
from gateway.routing.prompt.features import SIZE, prompt_facts
from tests.routing.worlds import MODERATE

SIMPLE_PRIOR = AbilityPrior(PRIOR_FAILURE_RATE["simple"])
MIDDLING = (1.0, *[0.0] * (SIZE - 1))


def learned(difficulty: PromptDifficulty, *, quality: float, times: int, rate: float = 1.0) -> PromptDifficulty:
    for _ in range(times):
        difficulty = difficulty.update(MIDDLING, quality, rate=rate, weight=1.0)
    return difficulty


def test_prior_quality_is_that_of_a_middling_request() -> None:
    """What is promised of each tier without data is what its rate of failure amounts to."""
    assert {tier: 1 - PRIOR_FAILURE_RATE[tier] * dot(MIDDLING, PRIOR_WEIGHTS) for tier in TIERS} == pytest.approx(
        PRIOR_QUALITY
    )


def test_strong_models_are_ahead_where_it_is_hard() -> None:
    """Failures of any model widen the expected distance between the tiers."""
    weights = learned(PromptDifficulty(), quality=0.2, times=40).weights
    before = PRIOR_QUALITY["complex"] - PRIOR_QUALITY["simple"]
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
