"""Routes by the outcomes of similar prompts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.errors import RoutingError
from gateway.routing.prompt.features import cached_prompt_facts
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer
from gateway.routing.strategies.base import RankingStrategy, is_method
from gateway.routing.strategies.decisions import well_formed
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import PromptFacts, RoutingContext, RoutingDecision

_REQUIRED = ("provider", "model", "confidence")
_RECOMMENDED = (*_REQUIRED, "reasoning", "avg_cost")


class LearningStrategy(RankingStrategy):
    """Follows its `analyzer`, which callers may replace by any object with the same two methods."""

    def __init__(self, db_path: str | Path = "gateway.db", *, analyzer: QueryPatternAnalyzer | None = None) -> None:
        self.analyzer = analyzer or QueryPatternAnalyzer(db_path)

    def get_name(self) -> str:
        return "learning"

    def rank(self, prompt: str, context: RoutingContext) -> Ranking:
        facts = cached_prompt_facts(prompt, context)
        if is_method(self.analyzer.recommend_provider, QueryPatternAnalyzer.recommend_provider):
            return self.analyzer.rank(facts, context, strategy=self.get_name())
        return self._recommended(facts, context)

    def _recommended(self, facts: PromptFacts, context: RoutingContext) -> Ranking:
        """From a replaced analyzer. Raises RoutingError where its recommendation lacks something."""
        providers = list(context.available_providers)
        recommendation = self.analyzer.recommend_provider(facts.prompt, facts.complexity, providers)
        missing = [name for name in _REQUIRED if name not in recommendation]
        if missing:
            raise RoutingError(f"the analyzer's recommendation lacks {', '.join(missing)}")
        decision = RoutingDecision(
            provider=recommendation["provider"],
            model=recommendation["model"],
            confidence=recommendation["confidence"],
            strategy_used=self.get_name(),
            reasoning=str(recommendation.get("reasoning") or "The analyzer gave no reason."),
            metadata={
                "cost_estimate": recommendation.get("avg_cost"),
                **{name: value for name, value in recommendation.items() if name not in _RECOMMENDED},
                "pattern": self._pattern(facts.prompt, recommendation),
                "complexity": facts.complexity,
            },
        )
        return Ranking.of_decision(well_formed(decision, providers))

    def _pattern(self, prompt: str, recommendation: Mapping[str, Any]) -> Any:
        return recommendation["pattern"] if "pattern" in recommendation else self.analyzer.identify_pattern(prompt)
