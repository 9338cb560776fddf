"""Names the pattern of a prompt and recommends a model for it from what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.catalog import usd_text
from gateway.catalog.packaged import load_catalog
from gateway.routing.estimation.trainer import OnlineTrainer
from gateway.routing.prompt.features import cached_prompt_facts
from gateway.routing.prompt.patterns import identify_pattern
from gateway.routing.strategies.candidates import Candidate, RoutingRequest, eligible
from gateway.routing.strategies.decisions import decision_metadata
from gateway.routing.strategies.selection import Ranked, Uncertainty, draw_of, rank
from gateway.routing.types import PromptFacts, RoutingContext

BALANCED = 0.5


class AvailableProviders(list[str]):
    """The available providers' names, together with the context they come from.

    `recommend_provider` is called with names alone by whoever likes, and its replacements are written for that; what else a
    context says reaches our own analyzer this way.
    """

    def __init__(self, context: RoutingContext) -> None:
        super().__init__(context.available_providers)
        self.context = context


class QueryPatternAnalyzer:
    """`tradeoff` (0 to 1) holds where the context has none; `seed` decides which requests explore."""

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
        """`provider`, `model`, `confidence`, `reasoning`, `quality_score` (0 to 1), `avg_cost` (USD), and what a decision's metadata holds.

        Raises NoRoute when no model of these providers will do.
        """
        context = _context_of(prompt, available_providers)
        facts = cached_prompt_facts(prompt, context)
        if facts.complexity != complexity:
            facts = replace(facts, complexity=complexity)
        estimates = self.trainer.refreshed()
        candidates = eligible(RoutingRequest(facts, context, self.trainer.catalog, estimates))
        tradeoff = self.tradeoff if context.tradeoff is None else valid_tradeoff(context.tradeoff)
        uncertainty_of = estimates.posterior_std(facts)
        ranked = rank(
            candidates,
            cost_rate=estimates.cost_rate,
            tradeoff=tradeoff,
            uncertainty=Uncertainty(of=lambda each: uncertainty_of(each.key), most=estimates.max_posterior_std(facts)),
            draw=draw_of(prompt, seed=self._seed, learned=estimates.learned),
            explore=estimates.learned > 0,
        )
        chosen = ranked.chosen
        return {
            "provider": chosen.model.provider,
            "model": chosen.model.name,
            "confidence": chosen.estimate.confidence,
            "reasoning": _reasoning(ranked, facts=facts, tradeoff=tradeoff),
            "avg_cost": chosen.cost,
            "tradeoff": tradeoff,
            **decision_metadata(facts, ranked.order),
            "outcomes": round(estimates.support(facts)),
        }

    def close(self) -> None:
        self.trainer.close()


def valid_tradeoff(tradeoff: float) -> float:
    if not 0.0 <= tradeoff <= 1.0:
        raise ValueError(f"the tradeoff must be from 0.0 to 1.0, not {tradeoff!r}")
    return tradeoff


def _context_of(prompt: str, providers: Sequence[str]) -> RoutingContext:
    if isinstance(providers, AvailableProviders):
        return providers.context
    return RoutingContext(prompt=prompt, available_providers=list(providers))


def _reasoning(ranked: Ranked, *, facts: PromptFacts, tradeoff: float) -> str:
    chosen = ranked.chosen
    said = (
        f"{facts.pattern} of complexity {facts.complexity:.2f}: {chosen.model.full_name} is expected to reach quality "
        f"{chosen.estimate.quality:.2f} for {_usd(chosen)} ({chosen.estimate.outcomes} own outcomes on like prompts)"
    )
    if len(ranked.order) == 1:
        return f"{said}; no other model may answer this request."
    other = ranked.order[1]
    compared = f"{other.model.full_name} {other.estimate.quality:.2f} for {_usd(other)}"
    if ranked.explored:
        best = ranked.best
        expected = f"{best.model.full_name} {best.estimate.quality:.2f} for {_usd(best)}"
        return f"{said}; tried to learn about it, though {expected} is expected to be the better bargain."
    return f"{said}, against {compared}; at trade-off {tradeoff:.2f} that is the better bargain."


def _usd(candidate: Candidate) -> str:
    return usd_text(candidate.cost)
