"""Routes by what was learned, with complexity as the second opinion and the fallback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.catalog.catalog import Catalog
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.strategies.decisions import by_own_name, reason_of, well_formed
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.types import RoutingContext, RoutingDecision, RoutingStrategy

# So many outcomes of like prompts outweigh a difference of two tiers from complexity's choice.
ENOUGH_OUTCOMES = 50


class HybridStrategy(RoutingStrategy):
    """Both strategies may be replaced; `learning_strategy`'s decisions may lack metadata, be nonsense or never come."""

    def __init__(
        self,
        db_path: str | Path = "gateway.db",
        *,
        learning: LearningStrategy | None = None,
        complexity: ComplexityStrategy | None = None,
    ) -> None:
        own = learning or LearningStrategy(db_path)
        trainer = own.analyzer.trainer
        self.catalog: Catalog = trainer.catalog
        self.learning_strategy: RoutingStrategy = own
        self.complexity_strategy: RoutingStrategy = complexity or ComplexityStrategy(
            trainer.catalog, estimates=trainer.snapshot
        )

    def get_name(self) -> str:
        return "hybrid"

    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        try:
            learned = self._learned(prompt, context)
        except Exception as error:  # whatever a replaced strategy raises, a request must not fail for it
            return _fallen_back(self.complexity_strategy.route(prompt, context), error)
        if learned.confidence != "high":
            return self._taken(learned, experimental=True)
        if _outcomes(learned) >= ENOUGH_OUTCOMES:
            return self._taken(learned, experimental=False)
        usual = self.complexity_strategy.route(prompt, context)
        return self._taken(learned, experimental=False) if self._near(learned, usual) else _mismatch(usual, learned)

    def _learned(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        decision = self.learning_strategy.route(prompt, context)
        return by_own_name(well_formed(decision, context.available_providers), self.catalog)

    def _near(self, learned: RoutingDecision, usual: RoutingDecision) -> bool:
        """Within one tier; a model that the catalogue does not list is near to none."""
        one = self.catalog.get(learned.provider, learned.model)
        other = self.catalog.get(usual.provider, usual.model)
        return one is not None and other is not None and abs(one.rank - other.rank) <= 1

    def _taken(self, learned: RoutingDecision, *, experimental: bool) -> RoutingDecision:
        return RoutingDecision(
            provider=learned.provider,
            model=learned.model,
            confidence=learned.confidence,
            strategy_used=self.get_name(),
            reasoning=learned.reasoning,
            fallback_used=learned.fallback_used,
            metadata={**learned.metadata, "experimental": experimental, "learning_mismatch": False},
        )


def _mismatch(usual: RoutingDecision, learned: RoutingDecision) -> RoutingDecision:
    named = f"{learned.provider}/{learned.model}"
    said = f"{usual.reasoning} Learning's {named} is more than one tier away, with too few outcomes behind it."
    return _instead(usual, reasoning=said, learning_mismatch=True)


def _fallen_back(usual: RoutingDecision, error: Exception) -> RoutingDecision:
    reason = reason_of(error)
    decision = _instead(usual, reasoning=f"{usual.reasoning} Learning failed.", fallback_reason=reason)
    return replace(decision, fallback_used=True)


def _instead(usual: RoutingDecision, *, reasoning: str, **told: Any) -> RoutingDecision:
    metadata = {"experimental": False, "learning_mismatch": False, **usual.metadata, **told}
    return replace(usual, reasoning=reasoning, strategy_used="complexity", metadata=metadata)


def _outcomes(decision: RoutingDecision) -> float:
    """Of like prompts, as the decision tells; 0 where it tells nothing that is a number."""
    told = decision.metadata.get("outcomes")
    return told if isinstance(told, int | float) and not isinstance(told, bool) else 0
