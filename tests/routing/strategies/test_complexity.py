from __future__ import annotations

from typing import Any

import pytest

from gateway.catalog.catalog import Catalog, Model
from gateway.errors import NoRoute
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.types import RoutingContext
from tests.routing.worlds import COMPLEX, FLASH, HAIKU, MODERATE, SIMPLE, SONNET, THREE

CHEAPER = Model("openrouter", "cheaper", "moderate", 0.5, 1)
CHEAP = Model("openrouter", "cheap", "moderate", 0.6, 1)
MANY = Catalog([CHEAP, CHEAPER, FLASH, HAIKU, SONNET])


def chosen(prompt: str, catalog: Catalog = MANY, **wishes: Any) -> str:
    return ComplexityStrategy(catalog).route(prompt, RoutingContext(prompt, **wishes)).model


@pytest.mark.parametrize(("prompt", "model"), [(SIMPLE, FLASH), (MODERATE, HAIKU), (COMPLEX, SONNET)])
def test_each_tier_has_its_usual_model(prompt: str, model: Model) -> None:
    """Gemini Flash is for simple prompts, Claude Haiku for moderate and Claude Sonnet for complex ones, wherever they are listed."""
    decision = ComplexityStrategy(MANY).route(prompt, RoutingContext(prompt))

    assert (decision.provider, decision.model) == (model.provider, model.name)
    assert (decision.confidence, decision.strategy_used, decision.fallback_used) == ("medium", "complexity", False)
    assert "usual model" in decision.reasoning


def test_packaged_catalogue_has_todays_models() -> None:
    """Alone, the strategy uses the packaged catalogue."""
    strategy = ComplexityStrategy()
    models = [strategy.route(prompt, RoutingContext(prompt)).model for prompt in (SIMPLE, MODERATE, COMPLEX)]

    assert strategy.get_name() == "complexity"
    assert ["flash" in models[0], "haiku" in models[1], "sonnet" in models[2]] == [True] * 3


@pytest.mark.parametrize(
    ("prompt", "wishes", "model"),
    [
        (MODERATE, {"available_providers": ["openrouter", "gemini"]}, CHEAPER),
        (MODERATE, {"models": (FLASH.name, SONNET.name)}, SONNET),
        (SIMPLE, {"available_providers": ["openrouter", "claude"]}, CHEAPER),
        (COMPLEX, {"available_providers": ["gemini", "openrouter"]}, CHEAPER),
        (SIMPLE, {"min_quality": 0.93}, SONNET),
        (COMPLEX, {"max_cost": 0.0002}, FLASH),
        (MODERATE, {"cooling": frozenset({("claude", None)})}, CHEAPER),
        (MODERATE, {"cooling": frozenset({("claude", None), ("openrouter", None)})}, FLASH),
    ],
)
def test_what_the_context_rules_out_goes_to_the_nearest(prompt: str, wishes: dict[str, Any], model: Model) -> None:
    """The cheapest able model of the tier, else of the nearest tier, upwards first; cooling ones only when no other is left."""
    assert chosen(prompt, **wishes) == model.name


def test_tier_without_its_usual_model_has_its_cheapest() -> None:
    """A catalogue may lack the usual family altogether."""
    catalog = Catalog([CHEAP, CHEAPER])
    decision = ComplexityStrategy(catalog).route(MODERATE, RoutingContext(MODERATE))

    assert decision.model == CHEAPER.name
    assert "cheapest" in decision.reasoning


def test_other_tier_is_said() -> None:
    """The reason says when no model of the tier was free."""
    decision = ComplexityStrategy(THREE).route(SIMPLE, RoutingContext(SIMPLE, available_providers=["claude"]))

    assert decision.model == HAIKU.name
    assert "nearest tier" in decision.reasoning


def test_decision_tells_its_candidates_in_failover_order() -> None:
    """The chosen model comes first, with propensity one, cooling ones last."""
    context = RoutingContext(MODERATE, cooling=frozenset({("gemini", None)}))
    metadata = ComplexityStrategy(THREE).route(MODERATE, context).metadata

    assert [each["model"] for each in metadata["candidates"]] == [HAIKU.name, SONNET.name, FLASH.name]
    assert metadata["propensity"] == 1.0
    assert metadata["pattern"] == "explanation"
    assert metadata["cost_estimate"] > 0


def test_nothing_able_is_no_route() -> None:
    """The strategy does not make a model up."""
    with pytest.raises(NoRoute):
        chosen(SIMPLE, max_cost=1e-12)


@pytest.mark.parametrize("prompt", [SIMPLE, MODERATE, COMPLEX])
@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"cooling": frozenset({("claude", None)})},
        {"cooling": frozenset({("gemini", None), ("claude", None), ("openrouter", None)})},
        {"available_providers": ["openrouter"]},
        {"max_cost": 0.0002},
    ],
)
def test_choice_is_that_of_route(prompt: str, wishes: dict[str, Any]) -> None:
    """The choice that looks at the usual model first is the one that describing all of them comes to."""
    strategy, context = ComplexityStrategy(MANY), RoutingContext(prompt, **wishes)

    assert strategy.choose(prompt, context).name == strategy.route(prompt, context).model


def test_choice_without_a_usual_model() -> None:
    """Where nobody is the tier's usual model, the choice is the cheapest."""
    strategy, context = ComplexityStrategy(Catalog([CHEAP, CHEAPER])), RoutingContext(MODERATE)

    assert strategy.choose(MODERATE, context) == CHEAPER.key
