from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalog.catalog import Model, ModelKey
from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.strategies.scored_models import ScoredModel, ScoredModels
from gateway.routing.strategies.selection import EXPLORATION_RATE, Uncertainty, draw_of, select
from tests.routing.worlds import FLASH, HAIKU, SONNET, scored

CHEAP = scored(FLASH, quality=0.6, cost=0.0001, outcomes=100)
MIDDLE = scored(HAIKU, quality=0.75, cost=0.001, outcomes=100)
BEST = scored(SONNET, quality=0.9, cost=0.003, outcomes=100)


class Selected(NamedTuple):
    """A selection with rows instead of places, each with its propensity."""

    order: list[ScoredModel]
    best: ScoredModel
    explored: bool

    @property
    def chosen(self) -> ScoredModel:
        return self.order[0]


def selected(
    *candidates: ScoredModel,
    tradeoff: float = 0.5,
    draw: float = 0.999,
    explore: bool = False,
    doubts: Mapping[Model, float] | None = None,
    limit: float = math.inf,
) -> Selected:
    known = {model.key: doubt for model, doubt in (doubts or {}).items()}
    uncertainty = Uncertainty(of=lambda key: known.get(key, 0.0), most=lambda: max(known.values(), default=0.0))
    models = ScoredModels.of_rows(candidates)
    selection = select(
        models,
        cost_rate=CostQualityRate(),
        tradeoff=tradeoff,
        uncertainty=uncertainty,
        draw=draw,
        explore=explore,
        limit=limit,
    )
    propensities = selection.propensities
    rows = {place: models.row(place, propensity=propensities.get(place, 0.0)) for place in models.places}
    return Selected([rows[place] for place in selection.order], rows[selection.best], selection.explored)


@pytest.mark.parametrize(("tradeoff", "model"), [(0.0, FLASH), (0.1, FLASH), (0.9, SONNET), (1.0, SONNET)])
def test_tradeoff_goes_from_cheapest_to_best(tradeoff: float, model: object) -> None:
    """At 0 the cheapest is taken, at 1 the best."""
    assert selected(CHEAP, MIDDLE, BEST, tradeoff=tradeoff).chosen.model is model


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_turning_up_never_lowers_the_quality(points: list[float]) -> None:
    """With the same estimates, a higher trade-off takes a model at least as good."""
    low, high = (selected(CHEAP, MIDDLE, BEST, tradeoff=t).chosen.estimate.quality for t in sorted(points))

    assert low <= high


def test_ties_go_to_the_cheaper_then_to_the_catalogues_order() -> None:
    """Equal candidates are chosen between the same way each time."""
    same = scored(HAIKU, quality=0.6, cost=0.0001, outcomes=100)

    assert selected(CHEAP, same, tradeoff=1.0).chosen.model is FLASH
    assert selected(same, CHEAP, tradeoff=0.0).chosen.model is HAIKU


def test_cooling_candidates_come_last() -> None:
    """A cooling model is tried when all others failed, never left out, and when all are cooling the best still leads."""
    cooling = scored(SONNET, quality=0.9, cost=0.003, outcomes=100, cooling=True)

    assert [each.model for each in selected(cooling, CHEAP, MIDDLE, tradeoff=1.0).order] == [HAIKU, FLASH, SONNET]
    assert selected(cooling, tradeoff=0.5, explore=True).chosen.propensity == 1.0


def test_benefit_of_the_doubt_brings_an_unlucky_model_back() -> None:
    """A tried model about which there is doubt may rank before one that is known to be slightly better."""
    unlucky = scored(FLASH, quality=0.73, cost=0.001, outcomes=6)
    unknown = scored(FLASH, quality=0.73, cost=0.001, outcomes=6, tried=False)
    doubts = {FLASH: 0.1}

    assert selected(unlucky, MIDDLE, doubts=doubts).chosen.model is FLASH
    assert selected(unlucky, MIDDLE, doubts=doubts, tradeoff=1.0).chosen.model is HAIKU
    assert selected(unknown, MIDDLE, doubts=doubts).chosen.model is HAIKU


def test_doubt_is_not_asked_where_it_changes_nothing() -> None:
    """A model that could not lead even with the most doubt is not looked at closely."""
    asked: list[ModelKey] = []

    def uncertainty_of(key: ModelKey) -> float:
        asked.append(key)
        return 0.01

    hopeless = scored(FLASH, quality=0.1, cost=0.001, outcomes=50)
    uncertainty = Uncertainty(of=uncertainty_of, most=lambda: 0.2)
    models = ScoredModels.of_rows([hopeless, MIDDLE])
    select(models, cost_rate=CostQualityRate(), tradeoff=0.5, uncertainty=uncertainty, draw=0.0, explore=False)

    assert asked == [HAIKU.key]


def test_reputation_counts_half_of_what_is_lacking() -> None:
    """An untried model is not believed to mend more than half of what a tried one lacks."""
    good = scored(FLASH, quality=0.9, cost=0.0001, outcomes=3)
    praised = scored(SONNET, quality=1.0, cost=0.003)

    assert selected(good, praised, tradeoff=0.7).chosen.model is FLASH
    assert selected(scored(FLASH, quality=0.6, cost=0.0001), praised, tradeoff=0.7).chosen.model is SONNET


def test_proven_model_is_not_left_for_one_never_tried() -> None:
    """What outcomes show to do well stays, unless another was tried as well or price is all that counts."""
    proven = scored(SONNET, quality=0.95, cost=0.003, outcomes=10)
    untried = scored(FLASH, quality=0.94, cost=0.0001, tried=False)
    tried = scored(FLASH, quality=0.94, cost=0.0001)

    assert selected(untried, proven).chosen.model is SONNET
    assert selected(tried, proven).chosen.model is FLASH
    assert selected(untried, proven, tradeoff=0.0).chosen.model is FLASH


@settings(max_examples=30)
@given(st.floats(0.01, 0.99))
def test_chances_are_exact(tradeoff: float) -> None:
    """Propensities add up to one, exploration to at most two in a hundred, and draws follow them."""
    told = selected(CHEAP, MIDDLE, BEST, tradeoff=tradeoff, explore=True, draw=0.0)
    chances = {each.model: each.propensity for each in told.order}
    draws = 500
    counts = dict.fromkeys(chances, 0)
    for i in range(draws):
        counts[selected(CHEAP, MIDDLE, BEST, tradeoff=tradeoff, explore=True, draw=(i + 0.5) / draws).chosen.model] += 1

    assert sum(chances.values()) == pytest.approx(1.0)
    assert told.chosen.propensity >= 1 - EXPLORATION_RATE
    assert all(abs(counts[model] / draws - chance) <= 2 / draws for model, chance in chances.items())


def test_explored_decision_says_so() -> None:
    """A draw from the explored share takes another than the best, with the chance it had."""
    told = selected(CHEAP, MIDDLE, BEST, explore=True, draw=0.9999)

    assert told.explored
    assert told.chosen is not told.best
    assert 0 < told.chosen.propensity < EXPLORATION_RATE
    assert len(told.order) == 3


def test_clearly_worse_models_are_not_explored() -> None:
    """Known to be worse even in its good case, a model gets no share; neither does a cooling one."""
    worse = scored(FLASH, quality=0.2, cost=0.001, outcomes=400, spread=0.02)
    cooling = scored(HAIKU, quality=0.9, cost=0.001, cooling=True)

    told = selected(worse, cooling, BEST, explore=True)

    assert [each.propensity for each in told.order] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("tradeoff", [0.0, 1.0])
def test_ends_of_the_tradeoff_explore_nothing(tradeoff: float) -> None:
    """At either end the choice is certain."""
    assert selected(CHEAP, MIDDLE, BEST, tradeoff=tradeoff, explore=True, draw=0.99999).chosen.propensity == 1.0


def test_rounding_leaves_the_rest_to_the_best() -> None:
    """A draw beyond what the chances add up to in floating point takes the best."""
    assert (
        selected(CHEAP, MIDDLE, BEST, explore=True, draw=1.0).chosen.model is selected(CHEAP, MIDDLE, BEST).chosen.model
    )


@given(st.text(st.characters()), st.integers(0, 9), st.integers(0, 9))
def test_draws_repeat_for_the_same_seed_state_and_prompt(prompt: str, seed: int, learned: int) -> None:
    """A decision can be made again; any text will do."""
    draw = draw_of(prompt, seed=seed, learned=learned)

    assert 0.0 <= draw < 1.0
    assert draw == draw_of(prompt, seed=seed, learned=learned)
    assert draw != draw_of(prompt, seed=seed + 1, learned=learned)


def test_draws_are_uniform() -> None:
    """Over many states the draws fill the interval evenly."""
    draws = sorted(draw_of("Hello", seed=0, learned=i) for i in range(2000))

    assert all(abs(draw - i / 2000) < 0.05 for i, draw in enumerate(draws))


RATED_FLASH, RATED_HAIKU, RATED_SONNET = (replace(model, strength=0.0) for model in (FLASH, HAIKU, SONNET))


def test_near_equals_go_to_the_cheaper_one() -> None:
    """At the best-quality end a gap that evidence cannot tell from none is not paid for; a proven gap is."""
    dear = scored(RATED_SONNET, quality=0.82, cost=0.003, spread=0.08)
    cheap = scored(RATED_FLASH, quality=0.80, cost=0.0001, spread=0.08)
    known = [
        scored(each.model, quality=each.estimate.quality, cost=each.cost, outcomes=900, spread=0.01)
        for each in (dear, cheap)
    ]
    gap = scored(RATED_FLASH, quality=0.79, cost=0.0001, spread=0.2)

    unrated = [
        scored(model, quality=each.estimate.quality, cost=each.cost, spread=0.08)
        for model, each in ((FLASH, cheap), (SONNET, dear))
    ]

    assert selected(cheap, dear, tradeoff=1.0).chosen.model is RATED_FLASH
    assert selected(*unrated, tradeoff=1.0).chosen.model is SONNET
    assert selected(unrated[0], dear, tradeoff=1.0).chosen.model is RATED_SONNET
    assert selected(*known, tradeoff=1.0).chosen.model is RATED_SONNET
    assert selected(gap, dear, tradeoff=1.0).chosen.model is RATED_SONNET


def test_near_equals_are_explored_while_outcomes_are_few() -> None:
    """At the best-quality end only they are, with the exact probability, and no longer once enough is known."""
    first, second = scored(RATED_FLASH, quality=0.8, cost=0.0001), scored(RATED_HAIKU, quality=0.81, cost=0.001)
    seen = scored(RATED_HAIKU, quality=0.81, cost=0.001, outcomes=30)

    assert [each.propensity for each in selected(first, second, tradeoff=1.0, explore=True, draw=0.0).order] == [
        0.98,
        0.02,
    ]
    assert selected(first, seen, tradeoff=1.0, explore=True).chosen.propensity == 1.0


def test_models_above_the_limit_are_a_last_resort() -> None:
    """What costs more than the limit is neither chosen nor explored while another is free, and comes before cooling ones."""
    told = selected(CHEAP, MIDDLE, BEST, tradeoff=0.9, limit=0.001, explore=True, draw=0.0)
    cooling = [scored(each.model, cost=each.cost, cooling=True) for each in (CHEAP, MIDDLE)]

    assert [each.model for each in told.order] == [HAIKU, FLASH, SONNET]
    assert told.order[-1].propensity == 0.0
    assert selected(*cooling, BEST, limit=0.001).chosen.model is SONNET
