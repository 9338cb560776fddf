"""The estimates for one request: the expected quality of each model, its standard deviation, and the expected cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import mul, truediv
from typing import TYPE_CHECKING, NamedTuple

from gateway.catalog import ModelKey
from gateway.catalog.catalog import Model, Tier
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, PosteriorVariances, dot
from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.difficulty import PRIORS, Vector
from gateway.routing.estimation.evidence import ANY_MODEL, Group, QualityStats, confidence, similar
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.usage import TokenEstimates
from gateway.routing.prompt.embedding import unpacked
from gateway.routing.prompt.features import SIZE
from gateway.routing.types import Confidence, PromptFacts

if TYPE_CHECKING:
    from gateway.routing.estimation.ensemble import Ensemble

# The standard deviation of one outcome's quality around its prediction, and the pseudo-count of the prior in outcomes.
NOISE = 0.4
_PRIOR_COUNT = 4.0
_PRIOR_STD = NOISE / math.sqrt(_PRIOR_COUNT)

# Prior precision of a model's own deviations: its general level is learned quickly, its deviation on each feature slowly.
OWN_PRECISION: tuple[float, ...] = (12.0, *[60.0] * (SIZE - 1))


class Estimate(NamedTuple):
    """One model on one request. `quality` is 0 to 1, `std` its standard deviation from the number of outcomes.

    `outcomes` counts the model's outcomes on similar prompts; `has_outcomes` says that it has any, on whatever prompts.
    """

    quality: float
    std: float
    outcomes: int = 0
    confidence: Confidence = "low"
    has_outcomes: bool = False


def prior_quality(tier: Tier, facts: PromptFacts) -> float:
    """The expected quality of a model of this tier before any outcome, 0 to 1."""
    return _quality(facts, PRIORS[tier])


def _quality(facts: PromptFacts, weights: Vector) -> float:
    return _clamp(dot(facts.vector, weights))


def _clamp(quality: float) -> float:
    return min(1.0, max(0.0, quality))


@dataclass(frozen=True, slots=True)
class Estimates:
    """An immutable snapshot of what was learned from `learned` outcomes; safe to read from any thread.

    `tier_weights` are the quality weights of a model without outcomes. `model_weights` are those of each model with outcomes, and
    `posteriors` the posteriors of its own deviations. `ensemble` and `posterior_variances` (the posteriors, vectorised) are set
    once there are enough labels for a first fit.
    """

    tier_weights: Mapping[Tier, Vector] = field(default_factory=lambda: PRIORS)
    model_weights: Mapping[ModelKey, Vector] = field(default_factory=dict)
    posteriors: Mapping[ModelKey, GaussianPosterior] = field(default_factory=dict)
    usage: TokenEstimates = field(default_factory=TokenEstimates)
    bucket_stats: Mapping[Group, QualityStats] = field(default_factory=dict)
    cost_rate: CostQualityRate = field(default_factory=CostQualityRate)
    ensemble: Ensemble | None = None
    posterior_variances: PosteriorVariances | None = None
    learned: int = 0

    def of(self, model: Model, facts: PromptFacts) -> Estimate:
        return self.across(ModelColumns([model]), facts)[0]

    def across(self, columns: ModelColumns, facts: PromptFacts) -> list[Estimate]:
        """The estimates of all models for one request, in the order of the columns. Models without outcomes share their tier's."""
        by_tier = {
            tier: Estimate(_quality(facts, self.tier_weights[tier]), _PRIOR_STD)
            for tier in dict.fromkeys(columns.tiers)
        }
        estimates = [by_tier[tier] for tier in columns.tiers]
        if not self.model_weights:
            return estimates
        support, blended = self.support(facts), self._blended(facts)
        for key, weights in self.model_weights.items():
            if (index := columns.index.get(key)) is not None:
                quality = _clamp(blended(key, dot(facts.vector, weights)))
                estimates[index] = self._with_evidence(key, facts, quality=quality, support=support)
        return estimates

    def costs(self, columns: ModelColumns, facts: PromptFacts, *, max_tokens: int | None = None) -> list[float]:
        """The expected cost (USD) of each model, in the order of the columns."""
        return self.usage.expected_costs(columns, pattern=facts.pattern, tokens=facts.tokens, max_tokens=max_tokens)

    def _blended(self, facts: PromptFacts) -> Callable[[ModelKey, float], float]:
        """Shrinks a model's online estimate towards the ensemble's, if there is one and the prompt's embedding is known."""
        embedding = None if self.ensemble is None else unpacked(facts.features)
        if self.ensemble is None or embedding is None:
            return lambda key, online: online
        return self.ensemble.on(facts.vector, embedding)

    def _with_evidence(self, key: ModelKey, facts: PromptFacts, *, quality: float, support: float) -> Estimate:
        stats = similar(self.bucket_stats, key, pattern=facts.pattern, complexity=facts.complexity)
        return Estimate(
            quality=quality,
            std=NOISE / math.sqrt(stats.count + _PRIOR_COUNT),
            outcomes=int(stats.count + 1e-6),
            confidence=confidence(stats, all_models=support),
            has_outcomes=True,
        )

    def support(self, facts: PromptFacts) -> float:
        """The weighted number of outcomes on similar prompts, of all models."""
        return similar(self.bucket_stats, ANY_MODEL, pattern=facts.pattern, complexity=facts.complexity).count

    def posterior_std(self, facts: PromptFacts) -> Callable[[ModelKey], float]:
        """For one request: the posterior standard deviation of the expected quality of a model that has outcomes.

        It is large where the model's outcomes were on other kinds of prompts.
        """
        if self.posterior_variances is None:
            return lambda key: NOISE * math.sqrt(self.posteriors[key].variance(facts.vector))
        variances = self.posterior_variances.variances(facts.vector)
        return lambda key: NOISE * math.sqrt(variances[key])

    def max_posterior_std(self, facts: PromptFacts) -> float:
        """The prior standard deviation, of a model without outcomes: the upper bound of `posterior_std`."""
        squares = map(mul, facts.vector, facts.vector)
        return NOISE * math.sqrt(sum(map(truediv, squares, OWN_PRECISION)))
