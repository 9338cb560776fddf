from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from gateway.errors import RoutingError
from gateway.routing.estimation.trainer import OnlineTrainer
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.types import RoutingContext
from tests.routing.worlds import MODERATE, THREE


class FixedAnalyzer:
    """Recommends the same whatever it is asked, and remembers what that was."""

    def __init__(self, **found: Any) -> None:
        self.found = found
        self.asked: list[tuple[str, float, list[str]]] = []

    def identify_pattern(self, prompt: str) -> str:
        return "mine"

    def recommend_provider(self, prompt: str, complexity: float, available_providers: list[str]) -> dict[str, Any]:
        self.asked.append((prompt, complexity, available_providers))
        return self.found


def strategy_with(analyzer: FixedAnalyzer, tmp_path: Path) -> LearningStrategy:
    strategy = LearningStrategy(analyzer=QueryPatternAnalyzer(trainer=OnlineTrainer(tmp_path / "gateway.db", THREE)))
    strategy.analyzer = cast(QueryPatternAnalyzer, analyzer)
    return strategy


def test_decision_carries_what_the_analyzer_found(tmp_path: Path) -> None:
    """Alone on a file, the strategy decides with low confidence and tells everything the ledger keeps."""
    strategy = LearningStrategy(tmp_path / "gateway.db")

    decision = strategy.route(MODERATE, RoutingContext(MODERATE))

    assert strategy.get_name() == decision.strategy_used == "learning"
    assert decision.confidence == "low"
    assert not decision.fallback_used
    assert {"pattern", "complexity", "quality_score", "cost_estimate", "candidates", "propensity", "features"} <= set(
        decision.metadata
    )


def test_replaced_analyzer_is_what_gets_called(tmp_path: Path) -> None:
    """Prompt, complexity and provider names are all that a replacement has to take, three entries all it has to give."""
    analyzer = FixedAnalyzer(provider="claude", model="m", confidence="medium")
    strategy = strategy_with(analyzer, tmp_path)

    decision = strategy.route(MODERATE, RoutingContext("", available_providers=["claude"]))

    assert (decision.provider, decision.model, decision.confidence) == ("claude", "m", "medium")
    assert decision.metadata["pattern"] == "mine"
    assert decision.reasoning
    assert analyzer.asked[0][0] == MODERATE
    assert analyzer.asked[0][2] == ["claude"]


def test_full_recommendation_is_passed_on(tmp_path: Path) -> None:
    """Cost and quality that a replacement tells are the decision's."""
    analyzer = FixedAnalyzer(
        provider="claude", model="m", confidence="high", reasoning="so", quality_score=0.9, avg_cost=0.01, pattern="own"
    )

    decision = strategy_with(analyzer, tmp_path).route(MODERATE, RoutingContext(""))

    assert decision.reasoning == "so"
    assert decision.metadata["cost_estimate"] == 0.01
    assert decision.metadata["quality_score"] == 0.9
    assert decision.metadata["pattern"] == "own"


def test_recommendation_without_a_model_is_an_error(tmp_path: Path) -> None:
    """What is missing is named, for whoever falls back."""
    with pytest.raises(RoutingError, match="model, confidence"):
        strategy_with(FixedAnalyzer(provider="claude"), tmp_path).route(MODERATE, RoutingContext(""))
