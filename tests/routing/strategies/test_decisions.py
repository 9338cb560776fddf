from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import RoutingError
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.strategies.candidates import RoutingRequest
from gateway.routing.strategies.decisions import by_own_name, complete, reason_of, validate, well_formed
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import RoutingContext, RoutingDecision
from tests.routing.worlds import FLASH, HAIKU, MODERATE, THREE


def decision(**changes: Any) -> RoutingDecision:
    told: dict[str, Any] = {
        "provider": "claude",
        "model": HAIKU.name,
        "confidence": "low",
        "strategy_used": "learning",
        "reasoning": "because",
    }
    return RoutingDecision(**{**told, **changes})


def request(**wishes: Any) -> RoutingRequest:
    context = RoutingContext(MODERATE, **wishes)
    return RoutingRequest(prompt_facts(MODERATE, context), context, THREE, Estimates())


def ranking(**changes: Any) -> Ranking:
    return Ranking.of_decision(decision(**{"metadata": {}, **changes}))


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (None, "nothing instead"),
        ("claude", "a str instead"),
        (decision(provider="nobody"), "'nobody' is not available"),
        (decision(provider=["claude"]), "is not available"),
        (decision(model=""), "is not a model"),
        (decision(model=None), "None is not a model"),
        (decision(confidence="certain"), "'certain' is not one of"),
        (decision(confidence={}), "is not one of"),
        (decision(metadata="x"), "metadata is a str"),
    ],
)
def test_malformed_decision_is_refused_with_a_reason(made: object, wrong: str) -> None:
    """Whatever a replaced strategy returns, the error says what is wrong with it."""
    with pytest.raises(RoutingError, match=wrong):
        well_formed(made, ["gemini", "claude", "openrouter"])


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (ranking(strategy_used="magic"), "strategy 'magic'"),
        (ranking(strategy_used=[]), "strategy"),
        (ranking(model="unknown"), "not in the catalogue"),
    ],
)
def test_unknown_names_are_refused_with_a_reason(made: Ranking, wrong: str) -> None:
    """The strategy's name and the model have to be known."""
    with pytest.raises(RoutingError, match=wrong):
        validate(made, request(), strategies={"learning"})


@pytest.mark.parametrize("wishes", [{"max_cost": 1e-9}, {"min_quality": 0.99}, {"models": ("x",)}])
def test_context_binds_every_decision(wishes: dict[str, Any]) -> None:
    """A decision outside the context's limits is refused, whoever made it."""
    with pytest.raises(RoutingError, match=HAIKU.name):
        validate(ranking(), request(**wishes), strategies={"learning"})


@pytest.mark.parametrize("name", ["claude-3-haiku", "claude/claude-haiku-9", HAIKU.name])
def test_any_name_of_a_model_becomes_its_own(name: str) -> None:
    """Aliases and full names are as good as the provider's own id."""
    assert validate(ranking(model=name), request(), strategies={"learning"}).chosen == HAIKU.key


def test_alias_of_another_providers_model_stays() -> None:
    """A name is not moved to another provider than the decision's."""
    made = ranking(provider="gemini", model="claude-3-haiku")

    assert by_own_name(made, THREE) is made


def test_absent_metadata_is_empty() -> None:
    """None stands for no metadata."""
    assert well_formed(decision(metadata=None), ["claude"]).metadata == {}


def test_bare_decisions_are_completed() -> None:
    """What the ledger and the failover need is added, what the strategy said stays; the probability of the choice is unknown."""
    completed = complete(ranking(metadata={"pattern": "mine"}), request())
    metadata = completed.to_decision().metadata

    assert completed.pattern == metadata["pattern"] == "mine"
    assert metadata["candidates"][0]["model"] == HAIKU.name
    assert set(completed.keys) == {model.key for model in THREE}
    assert metadata["propensity"] is completed.propensity is None
    assert metadata["features"]


def test_whole_decisions_are_left_alone() -> None:
    """A decision that says everything is not changed."""
    metadata = {"candidates": [], "features": {}, "pattern": "x"}
    made = ranking(provider="gemini", model=FLASH.name, metadata=metadata)

    assert complete(made, request()) is made
    assert made.to_decision().metadata == metadata


def test_candidates_of_a_replaced_strategy_keep_their_order_and_figures() -> None:
    """Failover follows the strategy's own list; what is not in the catalogue, or no candidate at all, is left out."""
    passed = [
        {"provider": "claude", "model": HAIKU.name, "quality": 0.5, "cost": 0.25, "outcomes": 7},
        {"provider": "claude", "model": "unknown"},
        "nonsense",
        {"provider": "gemini", "model": FLASH.name, "quality": "good"},
        {"provider": "claude", "model": HAIKU.name},
    ]
    completed = complete(ranking(metadata={"candidates": passed}), request())
    haiku, flash = (completed.of(model.key) for model in (HAIKU, FLASH))
    assert haiku is not None
    assert flash is not None

    assert completed.keys == (HAIKU.key, FLASH.key)
    assert (haiku.estimate.quality, haiku.cost, haiku.estimate.outcomes) == (0.5, 0.25, 7)
    assert (completed.quality, completed.cost) == (0.5, 0.25)
    assert 0 < flash.estimate.quality < 1
    assert completed.to_decision().metadata["candidates"] == passed
    assert complete(ranking(metadata={"candidates": "none"}), request()).order == ()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("bad\nthing"), "strategy: ValueError: bad thing"),
        (KeyError(), "strategy: KeyError"),
        (ValueError("x" * 5000), "strategy: ValueError: " + "x" * 300),
    ],
)
def test_reasons_are_one_bounded_line(error: Exception, reason: str) -> None:
    """The ledger's column takes no stack traces."""
    assert reason_of(error) == reason
