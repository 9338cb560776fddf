from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import RoutingError
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.strategies.candidates import RoutingRequest
from gateway.routing.strategies.decisions import by_own_name, fill_metadata, reason_of, validate, well_formed
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
        (decision(strategy_used="magic"), "strategy 'magic'"),
        (decision(strategy_used=[]), "strategy"),
        (decision(model="unknown"), "not in the catalogue"),
    ],
)
def test_nonsense_is_refused_with_a_reason(made: object, wrong: str) -> None:
    """Whatever a replaced strategy returns, the error says what is wrong with it."""
    with pytest.raises(RoutingError, match=wrong):
        validate(made, request(), strategies={"learning"})


@pytest.mark.parametrize("wishes", [{"max_cost": 1e-9}, {"min_quality": 0.99}, {"models": ("x",)}])
def test_context_binds_every_decision(wishes: dict[str, Any]) -> None:
    """A decision outside the context's limits is refused, whoever made it."""
    with pytest.raises(RoutingError, match=HAIKU.name):
        validate(decision(), request(**wishes), strategies={"learning"})


@pytest.mark.parametrize("name", ["claude-3-haiku", "claude/claude-haiku-9", HAIKU.name])
def test_any_name_of_a_model_becomes_its_own(name: str) -> None:
    """Aliases and full names are as good as the provider's own id."""
    assert validate(decision(model=name), request(), strategies={"learning"}).model == HAIKU.name


def test_alias_of_another_providers_model_stays() -> None:
    """A name is not moved to another provider than the decision's."""
    made = decision(provider="gemini", model="claude-3-haiku")

    assert by_own_name(made, THREE) is made


def test_absent_metadata_is_empty() -> None:
    """None stands for no metadata."""
    assert well_formed(decision(metadata=None), ["claude"]).metadata == {}


def test_bare_decisions_are_completed() -> None:
    """What the ledger and the failover need is added, what was told stays; the chance of such a choice is unknown."""
    made = fill_metadata(decision(metadata={"pattern": "mine"}), request())

    assert made.metadata["pattern"] == "mine"
    assert made.metadata["candidates"][0]["model"] == HAIKU.name
    assert {each["model"] for each in made.metadata["candidates"]} == {model.name for model in THREE}
    assert made.metadata["propensity"] is None
    assert made.metadata["features"]


def test_whole_decisions_are_left_alone() -> None:
    """A decision that tells everything is not touched."""
    made = decision(provider="gemini", model=FLASH.name, metadata={"candidates": [], "features": {}, "pattern": "x"})

    assert fill_metadata(made, request()) is made


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
