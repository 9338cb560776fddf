"""Routes by what was learned; complexity is the second opinion and the fallback."""

from __future__ import annotations

from pathlib import Path

from gateway.catalog.catalog import Catalog
from gateway.routing.strategies.base import RankingStrategy, rank_by
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.strategies.decisions import by_own_name, reason_of
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import RoutingContext, RoutingStrategy

# Outcomes on similar prompts from which on a choice two tiers away from complexity's is followed.
ENOUGH_OUTCOMES = 50


class HybridStrategy(RankingStrategy):
    """Callers may replace both strategies. The decisions of `learning_strategy` may lack metadata, be invalid or never come."""

    def __init__(
        self,
        db_path: str | Path = "gateway.db",
        *,
        learning: LearningStrategy | None = None,
        complexity: ComplexityStrategy | None = None,
    ) -> None:
        learning = learning or LearningStrategy(db_path)
        trainer = learning.analyzer.trainer
        self.catalog: Catalog = trainer.catalog
        self.learning_strategy: RoutingStrategy = learning
        self.complexity_strategy: RoutingStrategy = complexity or ComplexityStrategy(
            trainer.catalog, estimates=trainer.snapshot
        )

    def get_name(self) -> str:
        return "hybrid"

    def rank(self, prompt: str, context: RoutingContext) -> Ranking:
        try:
            learned = by_own_name(rank_by(self.learning_strategy, prompt, context), self.catalog)
        except Exception as error:  # a replaced strategy may raise anything; the request is routed anyway
            return _fallback(rank_by(self.complexity_strategy, prompt, context), error)
        if learned.confidence != "high":
            return self._follow(learned, experimental=True)
        if (learned.outcomes or 0) >= ENOUGH_OUTCOMES:
            return self._follow(learned, experimental=False)
        usual = rank_by(self.complexity_strategy, prompt, context)
        if self._within_one_tier(learned, usual):
            return self._follow(learned, experimental=False)
        return _mismatch(usual, learned)

    def _within_one_tier(self, learned: Ranking, usual: Ranking) -> bool:
        """Models that the catalogue does not list have no tier."""
        one, other = self.catalog.get(*learned.chosen), self.catalog.get(*usual.chosen)
        return one is not None and other is not None and abs(one.rank - other.rank) <= 1

    def _follow(self, learned: Ranking, *, experimental: bool) -> Ranking:
        return learned._replace(strategy=self.get_name(), experimental=experimental, learning_mismatch=False)


def _mismatch(usual: Ranking, learned: Ranking) -> Ranking:
    name = learned.chosen.full_name
    return usual._replace(
        strategy="complexity",
        reasoning=f"{usual.reasoning} Learning's {name} is more than one tier away, with too few outcomes behind it.",
        experimental=bool(usual.experimental),
        learning_mismatch=True,
    )


def _fallback(usual: Ranking, error: Exception) -> Ranking:
    return usual._replace(
        strategy="complexity",
        reasoning=f"{usual.reasoning} Learning failed.",
        experimental=bool(usual.experimental),
        learning_mismatch=bool(usual.learning_mismatch),
        fallback_used=True,
        fallback_reason=reason_of(error),
    )
