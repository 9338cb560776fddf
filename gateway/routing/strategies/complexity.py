"""Routes by complexity alone: each tier has its usual model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.catalog.catalog import TIERS, Catalog, Model, ModelKey, Tier
from gateway.catalog.packaged import load_catalog
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.prompt.complexity import tier_of
from gateway.routing.prompt.features import cached_prompt_facts
from gateway.routing.strategies.base import RankingStrategy
from gateway.routing.strategies.candidates import (
    RoutingRequest,
    eligible,
    eligible_among,
    ineligible,
    is_cooling_down,
)
from gateway.routing.strategies.ranking import Ranking, ScoredModel
from gateway.routing.types import RoutingContext

# The usual model of a tier is the catalogue's first model of this provider and family.
_USUAL: Mapping[Tier, tuple[str, str]] = {
    "simple": ("gemini", "flash"),
    "moderate": ("claude", "haiku"),
    "complex": ("claude", "sonnet"),
}


# The tiers by their distance to one, upwards first.
NEAREST: Mapping[Tier, tuple[Tier, ...]] = {
    "simple": ("simple", "moderate", "complex"),
    "moderate": ("moderate", "complex", "simple"),
    "complex": ("complex", "moderate", "simple"),
}


class ComplexityStrategy(RankingStrategy):
    """Gemini Flash for simple prompts, Claude Haiku for moderate ones, Claude Sonnet for complex ones.

    Where the context excludes that: the cheapest eligible model of the tier, else of the nearest tier, upwards first.
    `estimates` gives what is known of quality and cost, for the context's limits; by default the tiers' priors.
    """

    def __init__(self, catalog: Catalog | None = None, *, estimates: Callable[[], Estimates] = Estimates) -> None:
        self.catalog = load_catalog() if catalog is None else catalog
        self._estimates = estimates
        self._usual = {tier: usual_of(self.catalog, tier) for tier in TIERS}
        self._of_tier = {tier: [model for model in self.catalog if model.tier == tier] for tier in TIERS}

    def get_name(self) -> str:
        return "complexity"

    def choose(self, prompt: str, context: RoutingContext) -> ModelKey:
        """As `rank`, but estimates other models only where the usual one is not eligible, tier by tier. Raises NoRoute."""
        request = self._request(prompt, context)
        tier = tier_of(request.facts.complexity)
        usual = self._usual[tier]
        if usual is not None and not is_cooling_down(usual, context) and ineligible(usual, request) is None:
            return usual.key
        for near in NEAREST[tier]:
            if models := [each for each in eligible_among(request, self._of_tier[near]) if not each.cooling]:
                return min(models, key=lambda each: each.cost).key
        return ordered(eligible(request), tier=tier, usual=usual)[0].key

    def rank(self, prompt: str, context: RoutingContext) -> Ranking:
        request = self._request(prompt, context)
        tier = tier_of(request.facts.complexity)
        usual = self._usual[tier]
        chosen, *others = ordered(eligible(request), tier=tier, usual=usual)
        return Ranking.of_models(
            (chosen.with_propensity(1.0), *others),
            request.facts,
            strategy=self.get_name(),
            confidence="medium",
            reasoning=_reasoning(chosen, complexity=request.facts.complexity, tier=tier, usual=usual),
        )

    def _request(self, prompt: str, context: RoutingContext) -> RoutingRequest:
        return RoutingRequest(cached_prompt_facts(prompt, context), context, self.catalog, self._estimates())


def usual_of(catalog: Catalog, tier: Tier) -> Model | None:
    """The model that complexity alone chooses for a tier; None where the catalogue has no model of that family."""
    provider, family = _USUAL[tier]
    of_family = (m for m in catalog if m.tier == tier and m.provider == provider and family in m.name.lower())
    return next(of_family, None)


def ordered(models: Sequence[ScoredModel], *, tier: Tier, usual: Model | None) -> list[ScoredModel]:
    """Cooling models last; the tier's usual model first, then by distance of the tier, upwards first, then by cost."""
    nearest = NEAREST[tier]

    def sort_key(scored: ScoredModel) -> tuple[bool, int, bool, float]:
        model = scored.model
        return scored.cooling, nearest.index(model.tier), model is not usual, scored.cost

    return sorted(models, key=sort_key)


def _reasoning(chosen: ScoredModel, *, complexity: float, tier: Tier, usual: Model | None) -> str:
    name = chosen.model.full_name
    prefix = f"Complexity {complexity:.2f} is {tier}"
    if usual is not None and chosen.model is usual:
        return f"{prefix}; {name} is the usual model of that tier."
    if chosen.model.tier == tier:
        return f"{prefix}; {name} is the cheapest model of that tier that this request allows."
    return (
        f"{prefix}; no model of that tier is free for this request, so {name} of the nearest tier, {chosen.model.tier}."
    )
