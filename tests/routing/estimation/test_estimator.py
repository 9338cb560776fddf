from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gateway.catalog.catalog import Catalog, Model
from gateway.routing.estimation.estimates import Estimate, Estimates
from gateway.routing.estimation.estimator import Estimator
from gateway.routing.estimation.examples import FIRST_FIT, Observation
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.types import Outcome
from tests.routing.worlds import FLASH, HAIKU, MODERATE, SONNET, THREE


def observation(
    model: Model, prompt: str = MODERATE, *, quality: float | None = 0.9, weight: float = 1.0
) -> Observation:
    facts = prompt_facts(prompt)
    outcome = Outcome(quality=quality, cost=0.001, input_tokens=20, output_tokens=100)
    key = model.key
    return Observation(key, facts.pattern, facts.complexity, facts.features, outcome, weight=weight)


def estimate(estimates: Estimates, model: Model, prompt: str = MODERATE) -> Estimate:
    return estimates.of(model, prompt_facts(prompt))


def cost(estimates: Estimates, model: Model) -> float:
    return estimates.costs(ModelColumns([model]), prompt_facts(MODERATE))[0]


def test_quality_is_learned_from_outcomes() -> None:
    """Outcomes replace the tier's prior, for better and for worse."""
    estimates = Estimator(THREE).learn([observation(FLASH, quality=1.0), observation(SONNET, quality=0.1)] * 60)

    assert estimate(estimates, FLASH).quality > 0.95
    assert estimate(estimates, SONNET).quality < 0.2
    assert estimates.learned == 120


def test_what_is_hard_for_one_is_expected_to_be_hard_for_others() -> None:
    """A model without outcomes follows what those of others say of such prompts."""
    estimates = Estimator(THREE).learn([observation(SONNET, quality=0.2)] * 60)

    assert estimate(estimates, HAIKU).quality < estimate(Estimates(), HAIKU).quality - 0.1


def test_prompts_are_told_apart() -> None:
    """A model that is good at one kind of prompt and bad at another is expected to be so."""
    other = "Prove that the sum of 17 and 25 equals 42, then calculate 3^5 = ?"
    estimates = Estimator(THREE).learn([observation(FLASH, quality=1.0), observation(FLASH, other, quality=0.0)] * 60)

    assert estimate(estimates, FLASH).quality > 0.8
    assert estimate(estimates, FLASH, other).quality < 0.2


def test_fits_that_are_left_out_do_not_matter() -> None:
    """Of the fits of the ensemble that fall due in one call only the last is done, and the estimates are those of all of them."""
    observations = [
        observation((FLASH, HAIKU, SONNET)[i % 3], (WARS + CELLS)[i % 10], quality=i % 7 / 7) for i in range(500)
    ]
    in_parts, at_once = Estimator(THREE), Estimator(THREE)
    for start in range(0, 500, 20):
        last = in_parts.learn(observations[start : start + 20])
    whole = at_once.learn(observations)

    assert whole.ensemble is not None
    for prompt in (WARS[0], CELLS[0]):
        assert [estimate(last, model, prompt) for model in THREE] == [estimate(whole, model, prompt) for model in THREE]
    assert last.cost_rate == whole.cost_rate


def test_division_into_calls_does_not_matter() -> None:
    """One observation at a time or all at once, as after a restart: the estimates are the same."""
    observations = [observation((FLASH, HAIKU, SONNET)[i % 3], quality=i % 7 / 7) for i in range(50)]
    one_by_one, at_once = Estimator(THREE), Estimator(THREE)

    for each in observations:
        last = one_by_one.learn([each])

    assert last == at_once.learn(observations)


def test_unknown_models_teach_nothing() -> None:
    """Outcomes of a model that the catalogue no longer lists are passed over."""
    estimates = Estimator(THREE).learn([observation(Model("gemini", "gone", "simple", 1, 1))] * 20)

    assert estimate(estimates, FLASH) == estimate(Estimates(), FLASH)


def test_unknown_quality_teaches_cost_alone() -> None:
    """An outcome without quality tells how many tokens and dollars, not how good."""
    estimates = Estimator(THREE).learn([observation(FLASH, quality=None)] * 20)

    assert estimate(estimates, FLASH).quality == estimate(Estimates(), FLASH).quality
    assert cost(estimates, FLASH) > cost(Estimates(), FLASH)


def test_weight_limits_what_an_outcome_counts() -> None:
    """A weak label moves the estimate less than a sure one."""
    weak = Estimator(THREE).learn([observation(FLASH, quality=0.0, weight=0.1)] * 10)
    sure = Estimator(THREE).learn([observation(FLASH, quality=0.0)] * 10)

    assert estimate(sure, FLASH).quality < estimate(weak, FLASH).quality < estimate(Estimates(), FLASH).quality
    assert estimate(weak, FLASH).outcomes == 1


def test_a_few_outcomes_of_others_rule_nobody_out() -> None:
    """A model without outcomes keeps about its tier's quality after a failure of another."""
    estimates = Estimator(THREE).learn([observation(FLASH, quality=0.0)])
    before, after = estimate(Estimates(), SONNET), estimate(estimates, SONNET)

    assert after.quality == pytest.approx(before.quality, abs=0.06)


def test_prompt_sizes_that_are_no_numbers_are_passed_over() -> None:
    """A stored size of NaN does not break learning."""
    key = FLASH.key
    broken = Observation(key, "code", 0.3, {"tokens": math.nan}, Outcome(quality=1.0, cost=0.1))

    assert Estimator(THREE).learn([broken]).learned == 1


WARS = [f"Who won the {name} war, and in which year?" for name in ("Crimean", "Boer", "Punic", "Gallic", "Winter")]
CELLS = [
    f"Which part of the {name} makes its proteins, and how?" for name in ("cell", "yeast", "neuron", "leaf", "liver")
]


def test_many_labels_tell_topics_apart() -> None:
    """From some hundred labels on what a prompt is about counts, though no feature tells it."""
    observations = [
        observation(FLASH, prompt, quality=q) for topic, q in ((WARS, 1.0), (CELLS, 0.0)) for prompt in topic[:4]
    ]
    estimates = Estimator(THREE).learn(observations * 40)

    assert estimates.ensemble is not None
    assert estimates.posterior_variances is not None
    assert estimate(estimates, FLASH, WARS[4]).quality > estimate(estimates, FLASH, CELLS[4]).quality + 0.3


def test_few_labels_need_no_ensemble() -> None:
    """Below the least count, and for rows without an embedding, there is none."""
    bare = [replace(observation(FLASH), features={"length": 0.5}) for _ in range(FIRST_FIT)]

    assert Estimator(THREE).learn([observation(FLASH)] * (FIRST_FIT - 1)).ensemble is None
    assert Estimator(THREE).learn(bare).ensemble is None
    assert Estimator(THREE).learn(bare).posterior_variances is None


def test_ensemble_does_not_hold_a_model_that_changed() -> None:
    """What it knew of the model goes when the model turns bad."""
    estimator = Estimator(THREE)
    estimator.learn([observation(SONNET, prompt, quality=0.95) for prompt in WARS] * 80)
    estimates = estimator.learn([observation(SONNET, WARS[0], quality=0.0)] * 30)

    assert estimate(estimates, SONNET, WARS[1]).quality < 0.4


def outcomes_until_left(estimator: Estimator) -> int:
    """How many failures of SONNET it takes until HAIKU, at 0.7, is expected to do better."""
    for count in range(1, 200):
        estimates = estimator.learn([observation(SONNET, quality=0.0)])
        if estimate(estimates, SONNET).quality < estimate(estimates, HAIKU).quality:
            return count
    raise AssertionError("never left")


def test_model_that_turns_bad_is_left_within_thirty_outcomes() -> None:
    """However long it was good: 2,000 good outcomes do not hold it."""
    estimator = Estimator(THREE)
    estimator.learn([observation(SONNET, quality=0.95), observation(HAIKU, quality=0.7)] * 1000)

    assert outcomes_until_left(estimator) <= 30


def test_confidence_goes_with_a_change() -> None:
    """A model that turned bad is not known with high confidence any more."""
    estimator = Estimator(THREE)
    before = estimator.learn([observation(SONNET, quality=0.95)] * 200)
    after = estimator.learn([observation(SONNET, quality=0.0)] * 12)

    assert estimate(before, SONNET).confidence == "high"
    assert estimate(after, SONNET).confidence != "high"


def test_model_that_recovers_is_believed_again() -> None:
    """Nothing is for ever: after a bad spell good outcomes count."""
    estimator = Estimator(THREE)
    estimator.learn([observation(SONNET, quality=0.95)] * 300 + [observation(SONNET, quality=0.0)] * 300)
    estimates = estimator.learn([observation(SONNET, quality=0.95)] * 40)

    assert estimate(estimates, SONNET).quality > 0.75


def test_outcomes_without_weight_teach_no_quality() -> None:
    """Weight 0 leaves everything but the cost as it was."""
    estimates = Estimator(THREE).learn([observation(FLASH, quality=0.0, weight=0.0)] * 20)

    assert estimate(estimates, FLASH).quality == estimate(Estimates(), FLASH).quality


def test_cost_rate_is_fitted_to_recent_requests() -> None:
    """After some requests the rate is no longer the default; a catalogue without models has none."""
    taught = [
        observation(FLASH, quality=0.3),
        observation(HAIKU, quality=0.3),
        observation(SONNET),
        observation(SONNET),
    ]
    estimates = Estimator(THREE).learn(taught * 4)

    assert estimates.cost_rate.requests == 16
    assert estimates.cost_rate.price == pytest.approx(cost(estimates, SONNET))
    assert Estimator(Catalog([])).learn([observation(FLASH)] * 16).cost_rate.requests == 0
