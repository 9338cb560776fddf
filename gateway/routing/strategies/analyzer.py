"""Classifies a prompt and ranks the models for it by their learned estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.catalog import usd_text
from gateway.catalog.packaged import load_catalog
from gateway.routing.estimation.trainer import OnlineTrainer
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.prompt.patterns import identify_pattern
from gateway.routing.strategies.candidates import RoutingRequest, eligible
from gateway.routing.strategies.ranking import Ranking, ScoredModel
from gateway.routing.strategies.selection import Selection, Uncertainty, draw_of, select
from gateway.routing.types import PromptFacts, RoutingContext

BALANCED = 0.5


class QueryPatternAnalyzer:
    """`tradeoff` (0 to 1) applies where the context has none; `seed` decides which requests explore."""

    def __init__(
        self,
        db_path: str | Path = "gateway.db",
        *,
        trainer: OnlineTrainer | None = None,
        tradeoff: float | None = None,
        seed: int | None = None,
    ) -> None:
        self.trainer = trainer or OnlineTrainer(db_path, load_catalog())
        self.tradeoff = BALANCED if tradeoff is None else valid_tradeoff(tradeoff)
        self._seed = seed or 0

    def identify_pattern(self, prompt: str) -> str:
        return identify_pattern(prompt)

    def recommend_provider(self, prompt: str, complexity: float, available_providers: Sequence[str]) -> dict[str, Any]:
        """`provider`, `model`, `confidence`, `reasoning`, `quality_score` (0 to 1), `avg_cost` (USD), and the metadata of a decision.

        Raises NoRoute when no model of these providers is eligible.
        """
        context = RoutingContext(prompt=prompt, available_providers=list(available_providers))
        facts = prompt_facts(prompt, context)
        if facts.complexity != complexity:
            facts = replace(facts, complexity=complexity)
        decision = self.rank(facts, context).to_decision()
        return {
            "provider": decision.provider,
            "model": decision.model,
            "confidence": decision.confidence,
            "reasoning": decision.reasoning,
            "avg_cost": decision.metadata["cost_estimate"],
            **decision.metadata,
        }

    def rank(self, facts: PromptFacts, context: RoutingContext, *, strategy: str = "learning") -> Ranking:
        """The models that may answer, best first. Raises NoRoute, ValueError for a trade-off outside of 0 to 1."""
        estimates = self.trainer.refreshed()
        models = eligible(RoutingRequest(facts, context, self.trainer.catalog, estimates))
        tradeoff = self.tradeoff if context.tradeoff is None else valid_tradeoff(context.tradeoff)
        posterior_std = estimates.posterior_std(facts)
        selection = select(
            models,
            cost_rate=estimates.cost_rate,
            tradeoff=tradeoff,
            uncertainty=Uncertainty(of=lambda each: posterior_std(each.key), most=estimates.max_posterior_std(facts)),
            draw=draw_of(facts.prompt, seed=self._seed, learned=estimates.learned),
            explore=estimates.learned > 0,
        )
        return Ranking.of_models(
            selection.order,
            facts,
            strategy=strategy,
            confidence=selection.chosen.estimate.confidence,
            reasoning=_reasoning(selection, facts=facts, tradeoff=tradeoff),
            outcomes=round(estimates.support(facts)),
            tradeoff=tradeoff,
        )

    def close(self) -> None:
        self.trainer.close()


def valid_tradeoff(tradeoff: float) -> float:
    """Raises ValueError outside of 0.0 to 1.0."""
    if not 0.0 <= tradeoff <= 1.0:
        raise ValueError(f"the tradeoff must be from 0.0 to 1.0, not {tradeoff!r}")
    return tradeoff


def _reasoning(selection: Selection, *, facts: PromptFacts, tradeoff: float) -> str:
    chosen = selection.chosen
    expected = (
        f"{facts.pattern} of complexity {facts.complexity:.2f}: {chosen.model.full_name} is expected to reach quality "
        f"{chosen.estimate.quality:.2f} for {_usd(chosen)} ({chosen.estimate.outcomes} own outcomes on like prompts)"
    )
    if len(selection.order) == 1:
        return f"{expected}; no other model may answer this request."
    if selection.explored:
        return f"{expected}; tried to learn about it, though {_bargain(selection.best)} is expected to be the better bargain."
    return (
        f"{expected}, against {_bargain(selection.order[1])}; at trade-off {tradeoff:.2f} that is the better bargain."
    )


def _bargain(scored: ScoredModel) -> str:
    return f"{scored.model.full_name} {scored.estimate.quality:.2f} for {_usd(scored)}"


def _usd(scored: ScoredModel) -> str:
    return usd_text(scored.cost)
