from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from gateway.catalog.catalog import Catalog, Model
from gateway.errors import NoRoute
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.estimation.estimator import Estimator
from gateway.routing.estimation.examples import Observation
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.strategies.candidates import RoutingRequest, eligible, ineligibility
from gateway.routing.strategies.scored_models import ScoredModel
from gateway.routing.types import Outcome, RoutingContext
from tests.routing.worlds import FLASH, HAIKU, MODERATE, SONNET, THREE

LIMITED = Model(
    "gemini", "small", "simple", 0.1, 0.4, context_window=1000, max_output=100, abilities=frozenset({"tools"})
)
LONGER = Model("claude", "large", "complex", 3, 15, context_window=200_000, max_output=8_000, abilities=frozenset())


def asked(catalog: Catalog = THREE, prompt: str = MODERATE, **wishes: Any) -> RoutingRequest:
    context = RoutingContext(prompt, **wishes)
    return RoutingRequest(prompt_facts(prompt, context), context, catalog, Estimates())


def rows(request: RoutingRequest) -> list[ScoredModel]:
    models = eligible(request)
    return [models.row(place) for place in models.places]


def names(request: RoutingRequest) -> list[str]:
    return [each.model.name for each in rows(request)]


def test_unknown_limits_and_abilities_exclude_nobody() -> None:
    """A model of which only prices are known may be asked anything."""
    needs = frozenset({"tools", "vision", "pdf"})

    assert len(names(asked(needs=needs, prompt_tokens=10**9, max_tokens=10**9))) == 3


@pytest.mark.parametrize(
    ("wishes", "left"),
    [
        ({"available_providers": ["claude"]}, ["large"]),
        ({"needs": frozenset({"tools"})}, ["small"]),
        ({"prompt_tokens": 900}, ["large"]),
        ({"prompt_tokens": 900, "max_tokens": 50}, ["small", "large"]),
        ({"max_tokens": 5_000}, ["large"]),
        ({"max_tokens": 10**6}, ["large"]),
        ({"available_providers": ["gemini"], "max_tokens": 10**6}, ["small"]),
        ({"models": ("gemini/small",)}, ["small"]),
        ({"models": ("large", "unknown")}, ["large"]),
        ({"models": ("anthropic/large",)}, ["large"]),
    ],
)
def test_models_that_cannot_do_it_are_no_candidates(wishes: dict[str, Any], left: list[str]) -> None:
    """Provider, abilities, window, answer length and the client's own list each rule out; who asks too much gets the most there is."""
    assert names(asked(Catalog([LIMITED, LONGER]), **wishes)) == left


def test_aliases_name_models_too() -> None:
    """An old name in the client's list stands for today's model."""
    assert names(asked(models=("claude-3-haiku",))) == [HAIKU.name]


@pytest.mark.parametrize(
    ("wishes", "left"),
    [
        ({"max_cost": 0.0002}, [FLASH.name]),
        ({"max_cost": 0.002}, [FLASH.name, HAIKU.name]),
        ({"max_cost": 0.002, "max_tokens": 10}, [FLASH.name, HAIKU.name, SONNET.name]),
        ({"min_quality": 0.85}, [SONNET.name]),
        ({"min_quality": 0.75}, [HAIKU.name, SONNET.name]),
    ],
)
def test_expected_cost_and_quality_are_bounded(wishes: dict[str, Any], left: list[str]) -> None:
    """Cost counts the prompt and at least 300 tokens unless less is asked, quality is the tier's prior without data."""
    assert names(asked(**wishes)) == left


def test_failures_of_others_count_not_against_a_least_quality() -> None:
    """A model without outcomes has its tier's prior there; one with outcomes has what these say."""
    observations = [
        Observation(FLASH.key, "explanation", 0.4, prompt_facts(MODERATE).features, Outcome(quality=0.0))
    ] * 60
    taught = replace(asked(min_quality=0.75), estimates=Estimator(THREE).learn(observations))
    told = Observation(SONNET.key, "explanation", 0.4, prompt_facts(MODERATE).features, Outcome(quality=0.0))

    assert taught.estimates.of(HAIKU, taught.facts).quality < 0.75
    assert names(taught) == [HAIKU.name, SONNET.name]
    assert names(replace(taught, estimates=Estimator(THREE).learn([*observations, *[told] * 60]))) == [HAIKU.name]


@pytest.mark.parametrize(
    "wishes",
    [
        {"available_providers": []},
        {"max_cost": 0.0},
        {"max_cost": math.nan},
        {"min_quality": 1.01},
        {"min_quality": math.nan},
        {"models": ()},
    ],
)
def test_no_route_says_what_ruled_the_models_out(wishes: dict[str, Any]) -> None:
    """When nothing is left the error names the reasons; limits that are no numbers let nothing pass."""
    with pytest.raises(NoRoute, match="Ruled out: "):
        eligible(asked(**wishes))


def test_empty_catalogue_has_no_route() -> None:
    """Without models there is nothing to choose."""
    with pytest.raises(NoRoute, match="lists no model"):
        eligible(asked(Catalog([])))


@pytest.mark.parametrize("cooling", [("claude", None), ("claude", "claude-haiku-9")])
def test_cooling_candidates_are_marked(cooling: tuple[str, str | None]) -> None:
    """A cooling provider or model stays a candidate."""
    marked = {each.key: each.cooling for each in rows(asked(cooling=frozenset({cooling})))}

    assert marked[HAIKU.key]
    assert not marked[FLASH.key]


def test_surcharges_are_part_of_the_expected_cost() -> None:
    """What a model costs on top counts against the limit as its price does; what its cache saves makes it cheaper, never below nothing."""
    plain = {each.key: each.cost for each in rows(asked())}
    surcharges = {HAIKU.key: 0.01, SONNET.key: -1.0}

    charged = {each.key: each.cost for each in rows(asked(surcharges=surcharges))}

    assert charged == {**plain, HAIKU.key: pytest.approx(plain[HAIKU.key] + 0.01), SONNET.key: 0.0}
    assert HAIKU.name not in names(asked(surcharges=surcharges, max_cost=0.01))


@pytest.mark.parametrize(
    ("provider", "model", "wishes", "reason"),
    [
        ("claude", "unknown", {}, "not in the catalogue"),
        ("gemini", FLASH.name, {"available_providers": ["claude"]}, "provider is not available"),
        ("claude", SONNET.name, {"max_cost": 1e-5}, "expected cost is above"),
        ("claude", SONNET.name, {"cooling": frozenset({("claude", None)})}, None),
    ],
)
def test_objection_tells_why_a_model_may_not_answer(
    provider: str, model: str, wishes: dict[str, Any], reason: str | None
) -> None:
    """One model is judged as all are."""
    told = ineligibility(provider, model, asked(**wishes))

    assert told is None if reason is None else reason in str(told)


def test_what_a_model_cannot_do_is_told() -> None:
    """An objection names the abilities that are asked for and missing."""
    limited = asked(Catalog([LIMITED, LONGER]), needs=frozenset({"tools", "vision", "pdf"}))

    assert ineligibility("gemini", "small", limited) == "gemini/small: it cannot do pdf, vision"
