"""Routes by complexity alone: each tier has its usual model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.catalog.catalog import TIERS, Catalog, Model, Tier
from gateway.catalog.packaged import load_catalog
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.prompt.complexity import tier_of
from gateway.routing.prompt.features import cached_prompt_facts
from gateway.routing.strategies.candidates import (
    Candidate,
    RoutingRequest,
    eligible,
    eligible_among,
    ineligible,
    is_cooling_down,
)
from gateway.routing.strategies.decisions import decision_metadata
from gateway.routing.types import PromptFacts, RoutingContext, RoutingDecision, RoutingStrategy

# The family that each tier usually means: the first model in the catalogue that is of it.
_USUAL: Mapping[Tier, tuple[str, str]] = {
    "simple": ("gemini", "flash"),
    "moderate": ("claude", "haiku"),
    "complex": ("claude", "sonnet"),
}


# The tiers by nearness to one, upwards first.
_NEAREST: Mapping[Tier, tuple[Tier, ...]] = {
    "simple": ("simple", "moderate", "complex"),
    "moderate": ("moderate", "complex", "simple"),
    "complex": ("complex", "moderate", "simple"),
}


def _nothing_learned() -> Estimates:
    return Estimates()


class ComplexityStrategy(RoutingStrategy):
    """Gemini Flash for simple prompts, Claude Haiku for moderate, Claude Sonnet for complex ones.

    Where the context rules that out: the cheapest able model of the tier, else of the nearest tier, upwards first.
    `estimates` gives what is known of quality and cost, for the context's limits; by default the tiers' priors.
    """

    def __init__(
        self, catalog: Catalog | None = None, *, estimates: Callable[[], Estimates] = _nothing_learned
    ) -> None:
        self.catalog = load_catalog() if catalog is None else catalog
        self._estimates = estimates
        self._usual = {tier: usual_of(self.catalog, tier) for tier in TIERS}
        self._of_tier = {tier: [model for model in self.catalog if model.tier == tier] for tier in TIERS}

    def get_name(self) -> str:
        return "complexity"

    def choice(self, facts: PromptFacts, context: RoutingContext) -> Model:
        """The model that `route` chooses; others are looked at only where the usual one may not answer, tier by tier. Raises NoRoute."""
        tier = tier_of(facts.complexity)
        request = RoutingRequest(facts, context, self.catalog, self._estimates())
        usual = self._usual[tier]
        if usual is not None and not is_cooling_down(usual, context) and ineligible(usual, request) is None:
            return usual
        for near in _NEAREST[tier]:
            if candidates := [each for each in eligible_among(request, self._of_tier[near]) if not each.cooling]:
                return min(candidates, key=lambda each: each.cost).model
        return ordered(eligible(request), tier=tier, usual=usual)[0].model

    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        facts = cached_prompt_facts(prompt, context)
        tier = tier_of(facts.complexity)
        candidates = eligible(RoutingRequest(facts, context, self.catalog, self._estimates()))
        usual = self._usual[tier]
        order = ordered(candidates, tier=tier, usual=usual)
        chosen = order[0].with_propensity(1.0)
        return RoutingDecision(
            provider=chosen.model.provider,
            model=chosen.model.name,
            confidence="medium",
            strategy_used=self.get_name(),
            reasoning=_reasoning(chosen, complexity=facts.complexity, tier=tier, usual=usual),
            metadata=decision_metadata(facts, (chosen, *order[1:])),
        )


def usual_of(catalog: Catalog, tier: Tier) -> Model | None:
    provider, family = _USUAL[tier]
    of_family = (m for m in catalog if m.tier == tier and m.provider == provider and family in m.name.lower())
    return next(of_family, None)


def ordered(candidates: Sequence[Candidate], *, tier: Tier, usual: Model | None) -> list[Candidate]:
    """Cooling ones last; the tier's usual model first, then by nearness of the tier, upwards first, then by cost."""
    nearest = _NEAREST[tier]

    def place(candidate: Candidate) -> tuple[bool, int, bool, float]:
        model = candidate.model
        return candidate.cooling, nearest.index(model.tier), model is not usual, candidate.cost

    return sorted(candidates, key=place)


def _reasoning(chosen: Candidate, *, complexity: float, tier: Tier, usual: Model | None) -> str:
    name = chosen.model.full_name
    scored = f"Complexity {complexity:.2f} is {tier}"
    if usual is not None and chosen.model is usual:
        return f"{scored}; {name} is the usual model of that tier."
    if chosen.model.tier == tier:
        return f"{scored}; {name} is the cheapest model of that tier that this request allows."
    return (
        f"{scored}; no model of that tier is free for this request, so {name} of the nearest tier, {chosen.model.tier}."
    )
