"""What to expect of each model on a request: quality, its spread, and the usage that costs are made of. All that routing decides on beside what a model can do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import mul, truediv
from typing import TYPE_CHECKING, NamedTuple

from gateway.catalog.catalog import Model, Tier
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, PosteriorVariances, dot
from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.difficulty import PRIORS, Vector
from gateway.routing.estimation.evidence import ANY_MODEL, Group, QualityStats, confidence, similar
from gateway.routing.estimation.examples import Key
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.usage import TokenEstimates
from gateway.routing.prompt.embedding import unpacked
from gateway.routing.prompt.features import SIZE
from gateway.routing.types import Confidence, PromptFacts

if TYPE_CHECKING:
    from gateway.routing.estimation.ensemble import Ensemble

# Standard deviation of one outcome's quality around what the features explain, and how many outcomes the prior is worth.
NOISE = 0.4
_PRIOR_COUNT = 4.0
_UNTRIED_SPREAD = NOISE / math.sqrt(_PRIOR_COUNT)

# How firmly each model's own weights are held to what is expected of it: its general level is learned soon, how it differs
# on each feature later.
OWN_PRECISION: tuple[float, ...] = (12.0, *[60.0] * (SIZE - 1))


class Estimate(NamedTuple):
    """Of one model on one request. `quality` is 0 to 1, `spread` its standard deviation.

    `tried` says that it has outcomes at all, on whatever prompts.
    """

    quality: float
    std: float
    outcomes: int = 0
    confidence: Confidence = "low"
    has_outcomes: bool = False


def prior_quality(tier: Tier, facts: PromptFacts) -> float:
    """What is expected of a tier's models before any outcome."""
    return _quality(facts, PRIORS[tier])


def _quality(facts: PromptFacts, weights: Vector) -> float:
    return _clamp(dot(facts.vector, weights))


def _clamp(quality: float) -> float:
    return min(1.0, max(0.0, quality))


@dataclass(frozen=True, slots=True)
class Estimates:
    """A snapshot of what was learned from `learned` outcomes; never changes, so any thread may read it.

    `tiers` are the weights of a model of which nothing is known but its tier, `means` and `beliefs` those of each that has outcomes. `ensemble` and
    `certainty` (the beliefs once more, for all models at once) are there where NumPy is.
    """

    tiers: Mapping[Tier, Vector] = field(default_factory=lambda: PRIORS)
    means: Mapping[Key, Vector] = field(default_factory=dict)
    posteriors: Mapping[Key, GaussianPosterior] = field(default_factory=dict)
    usage: TokenEstimates = field(default_factory=TokenEstimates)
    bucket_stats: Mapping[Group, QualityStats] = field(default_factory=dict)
    cost_rate: CostQualityRate = field(default_factory=CostQualityRate)
    ensemble: Ensemble | None = None
    posterior_variances: PosteriorVariances | None = None
    learned: int = 0

    def of(self, model: Model, facts: PromptFacts) -> Estimate:
        return self.across(ModelColumns([model]), facts)[0]

    def across(self, columns: ModelColumns, facts: PromptFacts) -> list[Estimate]:
        """The estimates of one request, in the lineup's order. What models share is worked out once: most have nothing of their own."""
        untried = {
            tier: Estimate(_quality(facts, self.tiers[tier]), _UNTRIED_SPREAD) for tier in dict.fromkeys(columns.tiers)
        }
        estimates = [untried[tier] for tier in columns.tiers]
        if not self.means:
            return estimates
        seen, blended = self.support(facts), self._blended(facts)
        for key, own in self.means.items():
            if (place := columns.index.get(key)) is not None:
                quality = _clamp(blended(key, dot(facts.vector, own)))
                estimates[place] = self._of_tried(key, facts, quality=quality, seen=seen)
        return estimates

    def costs(self, columns: ModelColumns, facts: PromptFacts, *, max_tokens: int | None = None) -> list[float]:
        """USD, in the lineup's order."""
        return self.usage.expected_costs(columns, pattern=facts.pattern, tokens=facts.tokens, max_tokens=max_tokens)

    def _blended(self, facts: PromptFacts) -> Callable[[Key, float], float]:
        """Draws a model's quality to the ensemble's, where there is one and the request's embedding is known."""
        embedding = None if self.ensemble is None else unpacked(facts.features)
        if self.ensemble is None or embedding is None:
            return lambda key, online: online
        return self.ensemble.on(facts.vector, embedding)

    def _of_tried(self, key: Key, facts: PromptFacts, *, quality: float, seen: float) -> Estimate:
        stats = similar(self.bucket_stats, key, pattern=facts.pattern, complexity=facts.complexity)
        return Estimate(
            quality=quality,
            std=NOISE / math.sqrt(stats.count + _PRIOR_COUNT),
            outcomes=int(stats.count + 1e-6),
            confidence=confidence(stats, all_models=seen),
            has_outcomes=True,
        )

    def support(self, facts: PromptFacts) -> float:
        """Outcomes of like prompts, of all models."""
        return similar(self.bucket_stats, ANY_MODEL, pattern=facts.pattern, complexity=facts.complexity).count

    def posterior_std(self, facts: PromptFacts) -> Callable[[Key], float]:
        """The standard deviation of a tried model's expected quality just there: large where its outcomes were of other prompts."""
        if self.posterior_variances is None:
            return lambda key: NOISE * math.sqrt(self.posteriors[key].variance(facts.vector))
        variances = self.posterior_variances.variances(facts.vector)
        return lambda key: NOISE * math.sqrt(variances[key])

    def max_posterior_std(self, facts: PromptFacts) -> float:
        """The doubt about a model without outcomes; any outcome makes it less."""
        squares = map(mul, facts.vector, facts.vector)
        return NOISE * math.sqrt(sum(map(truediv, squares, OWN_PRECISION)))
