"""A ranking and the decision that the Python API makes of it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
import pytest

from gateway.catalog.catalog import ModelKey
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.strategies.ranking import POLICY_VERSION, Ranking, number
from gateway.routing.strategies.scored_models import ScoredModels
from gateway.routing.types import RoutingDecision
from gateway.store.candidate_columns import to_columns
from tests.routing.worlds import FLASH, HAIKU, MODERATE, SONNET, scored

FACTS = prompt_facts(MODERATE)
# In the catalogue's order; the second is the choice.
FIRST = scored(FLASH, quality=0.7, cost=0.0001)
SECOND = scored(HAIKU, quality=0.87654321, cost=0.001, outcomes=3)
THIRD = scored(SONNET, quality=0.9, cost=0.003)


def ranking(**changes: Any) -> Ranking:
    ranked = Ranking.of_models(
        ScoredModels.of_rows([FIRST, SECOND, THIRD]),
        [1, 2, 0],
        FACTS,
        propensities={1: 0.98, 2: 0.02},
        strategy="learning",
        confidence="low",
        reasoning="It is the better bargain.",
    )
    return ranked._replace(**changes)


def test_the_first_model_is_the_choice() -> None:
    """The choice's figures are those of the first model, its quality rounded as it is shown."""
    ranked = ranking()
    assert (ranked.chosen, ranked.keys) == (HAIKU.key, (HAIKU.key, SONNET.key, FLASH.key))
    assert (ranked.quality, ranked.cost, ranked.outcomes, ranked.propensity) == (0.8765, 0.001, 3, 0.98)
    assert ranked.of(SONNET.key) == THIRD._replace(propensity=0.02)
    assert ranked.of(ModelKey("claude", "unknown")) is None


def test_decision_has_the_promised_metadata() -> None:
    """Every figure of the choice, all candidates and the features are there; what does not apply is absent."""
    decision = ranking(tradeoff=0.5).to_decision()
    assert (decision.provider, decision.model, decision.strategy_used) == (HAIKU.provider, HAIKU.name, "learning")
    assert set(decision.metadata) == {
        "pattern",
        "complexity",
        "quality_score",
        "cost_estimate",
        "propensity",
        "outcomes",
        "candidates",
        "features",
        "prompt_tokens",
        "policy_version",
        "tradeoff",
    }
    assert decision.metadata["policy_version"] == POLICY_VERSION
    assert orjson.loads(orjson.dumps(decision.metadata))["candidates"][0]["quality"] == 0.8765


def test_flags_are_in_the_decision_once_they_are_known() -> None:
    """A strategy that marks its decisions says so with True or False."""
    metadata = ranking(experimental=False, learning_mismatch=True, fallback_reason="strategy: x").to_decision().metadata
    assert (metadata["experimental"], metadata["learning_mismatch"]) == (False, True)
    assert metadata["fallback_reason"] == "strategy: x"


def test_another_choice_is_certain() -> None:
    """The model that is put in front was not drawn, and no other could have been; the reasons stand one after the other."""
    changed = ranking().choose(SONNET.key, because="The conversation stays.")
    assert changed.keys == (SONNET.key, HAIKU.key, FLASH.key)
    assert [each["propensity"] for each in changed.candidates] == [1.0, 0.0, 0.0]
    assert (changed.chosen, changed.quality, changed.cost, changed.outcomes) == (SONNET.key, 0.9, 0.003, 0)
    assert changed.reasoning == "The conversation stays. It is the better bargain."
    assert changed.to_decision().metadata["candidates"][0]["model"] == SONNET.name


def test_another_choice_drops_the_figures_of_a_replaced_strategy() -> None:
    """What a strategy said of its own choice does not hold for another; the rest of its metadata does."""
    changed = ranking(passed={"cost_estimate": 1.0, "mark": "x"}).choose(SONNET.key, because="")
    metadata = changed.to_decision().metadata
    assert (metadata["cost_estimate"], metadata["mark"]) == (0.003, "x")


def test_decision_of_a_replaced_strategy_comes_back_as_it_was() -> None:
    """Its metadata is passed on whole, odd members too; only proper figures are read from it."""
    metadata = {"pattern": 7, "propensity": 0.3, "outcomes": True, "features": "none", "experimental": None, "x": [1]}
    made = RoutingDecision("claude", HAIKU.name, "low", "mine", "because", True, metadata)
    ranked = Ranking.of_decision(made)
    assert (ranked.pattern, ranked.propensity, ranked.outcomes, ranked.features) == (None, 0.3, None, {})
    back = ranked.to_decision()
    assert all(getattr(back, field.name) == getattr(made, field.name) for field in fields(made))


def test_candidates_are_rendered_when_they_are_read() -> None:
    """The row's candidates are a sequence of JSON objects, by index, slice and iteration."""
    candidates = ranking().candidates
    assert len(candidates) == 3
    assert [each["model"] for each in candidates] == [HAIKU.name, SONNET.name, FLASH.name]
    assert candidates[0] == {
        "provider": "claude", "model": HAIKU.name, "tier": "moderate", "quality": 0.8765, "spread": 0.2, "cost": 0.001,
        "outcomes": 3, "propensity": 0.98, "cooling": False,
    }  # fmt: skip
    assert [each["model"] for each in candidates[1:]] == [SONNET.name, FLASH.name]
    assert not ranking(order=()).candidates


def test_the_row_keeps_the_columns_of_a_ranking() -> None:
    """What the ledger stores without making an object for each model is what it stores of the objects."""
    candidates = ranking().candidates
    assert orjson.dumps(to_columns(candidates)) == orjson.dumps(to_columns(list(candidates)))


@pytest.mark.parametrize(("value", "figure"), [(1, 1), (0.5, 0.5), (True, None), ("1", None), (None, None)])
def test_only_numbers_are_figures(value: object, figure: float | None) -> None:
    """A truth value is no number."""
    assert number(value) == figure
