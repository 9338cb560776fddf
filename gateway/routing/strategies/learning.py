"""Routes by what the outcomes of like prompts taught."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.errors import RoutingError
from gateway.routing.prompt.features import cached_prompt_facts
from gateway.routing.strategies.analyzer import AvailableProviders, QueryPatternAnalyzer
from gateway.routing.types import RoutingContext, RoutingDecision, RoutingStrategy

_ESSENTIAL = ("provider", "model", "confidence")
_RECOMMENDED = (*_ESSENTIAL, "reasoning", "avg_cost")


class LearningStrategy(RoutingStrategy):
    """Follows its `analyzer`, which callers may replace by anything with the same two methods."""

    def __init__(self, db_path: str | Path = "gateway.db", *, analyzer: QueryPatternAnalyzer | None = None) -> None:
        self.analyzer = analyzer or QueryPatternAnalyzer(db_path)

    def get_name(self) -> str:
        return "learning"

    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        complexity = cached_prompt_facts(prompt, context).complexity
        found = self.analyzer.recommend_provider(prompt, complexity, AvailableProviders(context))
        missing = [name for name in _ESSENTIAL if name not in found]
        if missing:
            raise RoutingError(f"the analyzer's recommendation lacks {', '.join(missing)}")
        return RoutingDecision(
            provider=found["provider"],
            model=found["model"],
            confidence=found["confidence"],
            strategy_used=self.get_name(),
            reasoning=str(found.get("reasoning") or "The analyzer gave no reason."),
            metadata={**_metadata(found), "pattern": self._pattern(prompt, found), "complexity": complexity},
        )

    def _pattern(self, prompt: str, found: Mapping[str, Any]) -> Any:
        """As the recommendation tells; a replaced analyzer may have to be asked."""
        return found["pattern"] if "pattern" in found else self.analyzer.identify_pattern(prompt)


def _metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in found.items() if name not in _RECOMMENDED}
    return {"cost_estimate": found.get("avg_cost"), **rest}
