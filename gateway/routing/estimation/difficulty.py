"""Prompt difficulty, shared by all models, and the failure rate of each model relative to a reference model.

A model fails on a request with the expected probability `rate * x'w`. `x'w` is the failure probability of the reference model, a typical
model of the moderate tier, on a request with the features x; its weights w are learned from the outcomes of all models. `rate` is the
ratio of a model's failures to the reference model's: a strong model fails half as often on any kind of prompt. So an outcome of one
model also tells how far other models are apart on such prompts: little on easy ones, much on hard ones. Difficulty and ability are
the two parameters of item response theory (Rasch, 1960), here in a multiplicative form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.catalog.catalog import TIERS, Tier
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, dot, prior
from gateway.routing.prompt.features import NAMES, SIZE

Vector = tuple[float, ...]

# The reference model's prior: it fails on 20 % of the requests of average complexity, on more of the complex ones.
_REFERENCE_FAILURE_RATE = 0.20
_COMPLEXITY_SLOPE = 0.09
_COMPLEXITY = 1 + NAMES.index("complexity")
PRIOR_WEIGHTS: Vector = tuple(
    _REFERENCE_FAILURE_RATE if i == 0 else _COMPLEXITY_SLOPE if i == _COMPLEXITY else 0.0 for i in range(SIZE)
)
PRIOR_FAILURE_RATE: Mapping[Tier, float] = {"simple": 1.5, "moderate": 1.0, "complex": 0.5}
# The resulting prior quality on a request of average complexity.
PRIOR_QUALITY: Mapping[Tier, float] = {"simple": 0.70, "moderate": 0.80, "complex": 0.90}

_PRECISION: tuple[float, ...] = (5.0,) * SIZE
# Pseudo-counts of the priors, in outcomes: of all models for the weights, of one model for its rate.
_WEIGHTS_PRIOR_COUNT = 20.0
_RATE_PRIOR_COUNT = 20.0
_MIN_PROBABILITY, _MAX_PROBABILITY = 0.02, 0.98


@dataclass(frozen=True, slots=True)
class FailureRate:
    """Observed failures of one model and expected failures of the reference model on the same requests, both weighted."""

    failed: float = 0.0
    expected: float = 0.0

    def rate(self, tier: Tier) -> float:
        """Observed over expected, shrunk towards the tier's prior."""
        prior_failures = _RATE_PRIOR_COUNT * _REFERENCE_FAILURE_RATE
        return (self.failed + prior_failures * PRIOR_FAILURE_RATE[tier]) / (self.expected + prior_failures)

    def plus(self, *, failed: float, expected: float) -> FailureRate:
        return FailureRate(self.failed + failed, self.expected + expected)

    def decay(self, keep: float) -> FailureRate:
        return FailureRate(keep * self.failed, keep * self.expected)


@dataclass(frozen=True, slots=True)
class PromptDifficulty:
    """The regression of the reference model's failures on the features.

    `posterior` is over the difference of the weights from PRIOR_WEIGHTS, `weight_sum` the total weight of its outcomes.
    """

    posterior: GaussianPosterior = field(default_factory=lambda: prior(_PRECISION))
    weight_sum: float = 0.0

    @property
    def weights(self) -> Vector:
        """The reference model's weights, shrunk towards the prior: a few outcomes say little about other models."""
        shrinkage = self.weight_sum / (self.weight_sum + _WEIGHTS_PRIOR_COUNT)
        return tuple(
            [
                prior_weight + shrinkage * difference
                for prior_weight, difference in zip(PRIOR_WEIGHTS, self.posterior.mean, strict=True)
            ]
        )

    def update(self, x: Vector, quality: float, *, rate: float, weight: float) -> PromptDifficulty:
        """After an outcome of a model with this failure rate."""
        scaled = tuple([rate * xi for xi in x])
        residual = 1.0 - quality - dot(scaled, PRIOR_WEIGHTS)
        return PromptDifficulty(self.posterior.update(scaled, residual, weight=weight), self.weight_sum + weight)

    def decay(self, keep: float) -> PromptDifficulty:
        return PromptDifficulty(self.posterior.decay(keep, _PRECISION), self.weight_sum)


def reference_failure_rate(x: Vector, weights: Vector) -> float:
    """The reference model's failure probability, from 0.02 to 0.98."""
    return min(_MAX_PROBABILITY, max(_MIN_PROBABILITY, dot(x, weights)))


def expected_weights(rate: float, weights: Vector) -> Vector:
    """The quality weights of a model with this failure rate, before its own deviations from them."""
    return (1.0 - rate * weights[0], *[-rate * weight for weight in weights[1:]])


PRIORS: Mapping[Tier, Vector] = {tier: expected_weights(PRIOR_FAILURE_RATE[tier], PRIOR_WEIGHTS) for tier in TIERS}
