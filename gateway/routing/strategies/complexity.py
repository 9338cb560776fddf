"""Routes by complexity alone: each tier has its usual model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.strategies.scored_models import ScoredModels
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
            models = eligible_among(request, self._of_tier[near])
            if places := [place for place in models.places if not models.cooling[place]]:
                return models.columns.keys[min(places, key=models.costs.__getitem__)]
        models = eligible(request)
        return models.columns.keys[ordered(models, tier=tier, usual=usual)[0]]

    def rank(self, prompt: str, context: RoutingContext) -> Ranking:
        request = self._request(prompt, context)
        tier = tier_of(request.facts.complexity)
        usual = self._usual[tier]
        models = eligible(request)
        order = ordered(models, tier=tier, usual=usual)
        chosen = models.columns.models[order[0]]
        return Ranking.of_models(
            models,
            order,
            request.facts,
            propensities={order[0]: 1.0},
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


def usual_models(catalog: Catalog) -> Mapping[Tier, Model]:
    """The usual model of each tier that has one."""
    found = {tier: usual_of(catalog, tier) for tier in TIERS}
    return {tier: model for tier, model in found.items() if model is not None}


def ordered(models: ScoredModels, *, tier: Tier, usual: Model | None) -> list[int]:
    """The places: cooling models last; the tier's usual model first, then by distance of the tier, upwards first, then by cost."""
    nearest, columns = NEAREST[tier], models.columns
    distances = [nearest.index(each) for each in columns.tiers]
    unusual = [model is not usual for model in columns.models]
    keys = zip(models.cooling, distances, unusual, models.costs, models.places, strict=True)
    return [place for *_, place in sorted(keys)]


def _reasoning(chosen: Model, *, complexity: float, tier: Tier, usual: Model | None) -> str:
    name = chosen.full_name
    prefix = f"Complexity {complexity:.2f} is {tier}"
    if usual is not None and chosen is usual:
        return f"{prefix}; {name} is the usual model of that tier."
    if chosen.tier == tier:
        return f"{prefix}; {name} is the cheapest model of that tier that this request allows."
    return f"{prefix}; no model of that tier is free for this request, so {name} of the nearest tier, {chosen.tier}."
