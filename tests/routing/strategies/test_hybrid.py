from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.catalog.catalog import Model
from gateway.errors import NoRoute
from gateway.routing.estimation.trainer import OnlineTrainer
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer
from gateway.routing.strategies.hybrid import HybridStrategy
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.types import RoutingContext, RoutingDecision, RoutingStrategy
from tests.routing.worlds import COMPLEX, FLASH, HAIKU, MODERATE, SIMPLE, SONNET, THREE


class Fixed(RoutingStrategy):
    """Returns or raises the same whatever it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get_name(self) -> str:
        return "fixed"

    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        if isinstance(self.answer, Exception):
            raise self.answer
        made: RoutingDecision = self.answer
        return made


def learned(model: Model, confidence: str, **metadata: Any) -> RoutingDecision:
    return RoutingDecision(model.provider, model.name, confidence, "learning", "learned", metadata=metadata)


@pytest.fixture
def hybrid(tmp_path: Path) -> HybridStrategy:
    analyzer = QueryPatternAnalyzer(trainer=OnlineTrainer(tmp_path / "gateway.db", THREE))
    return HybridStrategy(learning=LearningStrategy(analyzer=analyzer))


def routed(hybrid: HybridStrategy, prompt: str, answer: Any) -> RoutingDecision:
    hybrid.learning_strategy = Fixed(answer)
    return hybrid.route(prompt, RoutingContext(prompt))


def test_hybrid_alone_learns_from_a_file(tmp_path: Path) -> None:
    """With nothing but a file, the packaged catalogue is routed by learning, marked experimental."""
    decision = HybridStrategy(tmp_path / "gateway.db").route(MODERATE, RoutingContext(MODERATE))

    assert (decision.strategy_used, decision.confidence) == ("hybrid", "low")
    assert decision.metadata["experimental"] is True
    assert not decision.fallback_used


@pytest.mark.parametrize("confidence", ["low", "medium"])
def test_unsure_recommendations_are_experimental(hybrid: HybridStrategy, confidence: str) -> None:
    """Medium and low confidence are followed, however far from complexity's choice, and marked."""
    decision = routed(hybrid, SIMPLE, learned(SONNET, confidence))

    assert (decision.model, decision.strategy_used, decision.confidence) == (SONNET.name, "hybrid", confidence)
    assert decision.metadata["experimental"] is True


@pytest.mark.parametrize(
    ("prompt", "model"), [(SIMPLE, FLASH), (SIMPLE, HAIKU), (MODERATE, SONNET), (MODERATE, FLASH), (COMPLEX, HAIKU)]
)
def test_sure_recommendation_within_one_tier_is_taken(hybrid: HybridStrategy, prompt: str, model: Model) -> None:
    """High confidence within one tier of complexity's choice is followed as it is."""
    decision = routed(hybrid, prompt, learned(model, "high"))

    assert (decision.model, decision.strategy_used) == (model.name, "hybrid")
    assert decision.metadata["experimental"] is False


@pytest.mark.parametrize(
    ("prompt", "model", "told"),
    [
        (SIMPLE, SONNET, {}),
        (COMPLEX, FLASH, {"outcomes": 49}),
        (COMPLEX, FLASH, {"outcomes": "many"}),
        (COMPLEX, FLASH, {"outcomes": True}),
        (SIMPLE, Model("claude", "unlisted", "simple", 1, 1), {}),
    ],
)
def test_sure_recommendation_far_away_needs_outcomes(
    hybrid: HybridStrategy, prompt: str, model: Model, told: dict[str, Any]
) -> None:
    """Two tiers away and with fewer than 50 outcomes behind it, complexity's decision is returned instead."""
    usual = hybrid.complexity_strategy.route(prompt, RoutingContext(prompt))

    decision = routed(hybrid, prompt, learned(model, "high", **told))

    assert (decision.model, decision.strategy_used, decision.confidence) == (usual.model, "complexity", "medium")
    assert decision.metadata["learning_mismatch"] is True
    assert decision.metadata["candidates"] == usual.metadata["candidates"]
    assert not decision.fallback_used


def test_fifty_outcomes_outweigh_the_tiers(hybrid: HybridStrategy) -> None:
    """With 50 outcomes of like prompts behind it a sure recommendation may be any tier."""
    decision = routed(hybrid, SIMPLE, learned(SONNET, "high", outcomes=50))

    assert (decision.model, decision.strategy_used) == (SONNET.name, "hybrid")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (RuntimeError("database is locked"), "strategy: RuntimeError: database is locked"),
        (NoRoute("nothing"), "strategy: NoRoute: nothing"),
        (None, "strategy: RoutingError: the strategy returned nothing"),
        (RoutingDecision("nobody", "m", "high", "learning", ""), "strategy: RoutingError: provider 'nobody'"),
        (RoutingDecision("claude", "", "high", "learning", ""), "strategy: RoutingError: '' is not a model"),
        (RoutingDecision("claude", "m", "sure", "learning", ""), "strategy: RoutingError: confidence 'sure'"),
    ],
)
def test_any_failure_of_learning_falls_back_to_complexity(hybrid: HybridStrategy, answer: Any, reason: str) -> None:
    """An error or nonsense costs nobody their answer: complexity decides, and the decision says why."""
    decision = routed(hybrid, COMPLEX, answer)

    assert (decision.model, decision.strategy_used) == (SONNET.name, "complexity")
    assert decision.fallback_used
    assert decision.metadata["fallback_reason"].startswith(reason)


def test_aliases_from_learning_become_model_names(hybrid: HybridStrategy) -> None:
    """A recommendation by an old name is followed under the model's own."""
    made = RoutingDecision("claude", "claude-3-haiku", "high", "learning", "", metadata={})

    assert routed(hybrid, MODERATE, made).model == HAIKU.name


def test_replaced_complexity_is_what_gets_called(hybrid: HybridStrategy) -> None:
    """The second opinion may be replaced like the first."""
    hybrid.complexity_strategy = Fixed(RoutingDecision("gemini", "other", "medium", "complexity", "mine"))

    decision = routed(hybrid, COMPLEX, ValueError())

    assert hybrid.get_name() == "hybrid"
    assert decision.model == "other"
    assert decision.fallback_used
