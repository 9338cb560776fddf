"""Classifies a prompt and ranks the models for it by their learned estimates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gateway.catalog import usd_text
from gateway.catalog.packaged import load_catalog
from gateway.routing.estimation.trainer import OnlineTrainer
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.prompt.patterns import identify_pattern
from gateway.routing.strategies.agreement import best_plan, with_shrunk_differences
from gateway.routing.strategies.candidates import RoutingRequest, pooled, scored_models
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.strategies.scored_models import ScoredModels
from gateway.routing.strategies.selection import Selection, Uncertainty, draw_of, select
from gateway.routing.types import PromptFacts, RoutingContext

BALANCED = 0.5
# Up to this trade-off nothing is chosen that is expected to cost more than the baseline.
CHEAP = 0.2


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
        self._complexity = ComplexityStrategy(self.trainer.catalog, estimates=self.trainer.snapshot)

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
        request = RoutingRequest(facts, context, self.trainer.catalog, estimates)
        models = pooled(request)
        if context.cascade == "agree":
            models = with_shrunk_differences(models, estimates.typical(models.columns))
        tradeoff = self.tradeoff if context.tradeoff is None else valid_tradeoff(context.tradeoff)
        selection = select(
            models,
            cost_rate=estimates.cost_rate,
            tradeoff=tradeoff,
            uncertainty=Uncertainty(
                of=estimates.posterior_std(facts), most=partial(estimates.max_posterior_std, facts)
            ),
            draw=draw_of(facts.prompt, seed=self._seed, learned=estimates.learned),
            explore=estimates.learned > 0,
            limit=self._baseline_cost(request, models) if tradeoff <= CHEAP else math.inf,
        )
        evidence = models.estimates.evidence
        ranking = Ranking.of_models(
            models,
            selection.order,
            facts,
            propensities=selection.propensities,
            strategy=strategy,
            confidence=evidence.confidences[selection.chosen],
            reasoning=_reasoning(selection, models, facts=facts, tradeoff=tradeoff),
            outcomes=round(evidence.support),
            tradeoff=tradeoff,
        )
        return ranking if context.cascade != "agree" else self._by_agreement(ranking, selection, request)

    def _by_agreement(self, ranking: Ranking, selection: Selection, request: RoutingRequest) -> Ranking:
        """The ranking with a plan by agreement in place of the best single call, where the plan is better."""
        models, context, best = ranking.models, request.context, selection.best
        limits = [math.inf if context.max_cost is None else context.max_cost]
        if (ranking.tradeoff or 0.0) <= CHEAP:
            limits.append(self._baseline_cost(request, models))
        plan = best_plan(
            models,
            selection.scores,
            rate=selection.rate,
            agreement=lambda one, other: request.estimates.agreement(one, other, request.facts),
            least=selection.scores[best],
            limit=min(limits),
        )
        return ranking if plan is None else ranking.by_agreement(plan, instead_of=best)

    def _baseline_cost(self, request: RoutingRequest, models: ScoredModels) -> float:
        """USD that the baseline is expected to cost; infinity where that is not known."""
        key = request.context.baseline
        if key is None:
            key = self._complexity.choose(request.facts.prompt, request.context)
        place, listed = models.columns.index.get(key), request.catalog.get(*key)
        if place is not None:
            return models.costs[place]
        return math.inf if listed is None else scored_models(request, [listed]).costs[0]

    def close(self) -> None:
        self.trainer.close()


def valid_tradeoff(tradeoff: float) -> float:
    """Raises ValueError outside of 0.0 to 1.0."""
    if not 0.0 <= tradeoff <= 1.0:
        raise ValueError(f"the tradeoff must be from 0.0 to 1.0, not {tradeoff!r}")
    return tradeoff


def _reasoning(selection: Selection, models: ScoredModels, *, facts: PromptFacts, tradeoff: float) -> str:
    chosen, qualities = selection.chosen, models.estimates.qualities
    expected = (
        f"{facts.pattern} of complexity {facts.complexity:.2f}: {models.columns.keys[chosen].full_name} is expected to reach "
        f"quality {qualities[chosen]:.2f} for {usd_text(models.costs[chosen])} "
        f"({_evidence_text(models, chosen)})"
    )
    if len(selection.order) == 1:
        return f"{expected}; no other model may answer this request."
    if selection.explored:
        best = _bargain(models, selection.best)
        return f"{expected}; tried to learn about it, though {best} is expected to be the better bargain."
    second = _bargain(models, selection.order[1])
    return f"{expected}, against {second}; at trade-off {tradeoff:.2f} that is the better bargain."


def _evidence_text(models: ScoredModels, place: int) -> str:
    """What the expected quality comes from."""
    model, evidence = models.columns.models[place], models.estimates.evidence
    if evidence.has_outcomes[place]:
        return f"{evidence.outcomes[place]} own outcomes on like prompts"
    if model.strength is None:
        return f"no own outcomes; by its tier, {model.tier}"
    return f"no own outcomes; public strength {model.strength:+.2f} from {model.strength_source or 'the catalogue'}"


def _bargain(models: ScoredModels, place: int) -> str:
    name, quality = models.columns.keys[place].full_name, models.estimates.qualities[place]
    return f"{name} {quality:.2f} for {usd_text(models.costs[place])}"
