"""Prompt difficulty, shared by all models, and the failure rate of each model relative to a reference model.

A model fails on a request with the expected probability `rate * x'w`. `x'w` is the failure probability of the reference model, a typical
model of the moderate tier, on a request with the features x; its weights w are learned from the outcomes of all models. `rate` is the
ratio of a model's failures to the reference model's: a strong model fails half as often on any kind of prompt. So an outcome of one
model also tells how far other models are apart on such prompts: little on easy ones, much on hard ones. Difficulty and ability are
the two parameters of item response theory (Rasch, 1960), here in a multiplicative form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.catalog.catalog import Model, Tier
from gateway.catalog.strengths import DEFAULT_ERROR, SLOPE, worth
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

_PRECISION: tuple[float, ...] = (5.0,) * SIZE
# Pseudo-counts of the priors, in outcomes: of all models for the weights, of one model for its rate.
_WEIGHTS_PRIOR_COUNT = 20.0
_TIER_RATE_COUNT = 20.0
# The precision of a model's general level around what its rate says, in outcomes; a strength's is this many times what it is worth.
_TIER_LEVEL_PRECISION = 12.0
_FIRMNESS = 2.0
# The largest advantage (logit of the chance of success) that a public strength gives over the reference model.
_MAX_ADVANTAGE = 1.5
_MIN_PROBABILITY, _MAX_PROBABILITY = 0.02, 0.98


class FailurePrior(NamedTuple):
    """What is expected of a model before its own outcomes: the ratio of its failures to the reference model's.

    `rate_count` and `level_precision` are the weight of that expectation, in outcomes. Both give way together: two priors of
    20 and 12 outcomes are as firm as one of 7.5. `surplus` is how many outcomes more than a tier's the expectation is worth.
    """

    rate: float
    rate_count: float = _TIER_RATE_COUNT
    level_precision: float = _TIER_LEVEL_PRECISION
    surplus: float = 0.0


def failure_prior(model: Model) -> FailurePrior:
    """By the model's public strength, as firm as the evidence for it; by its tier where it has none.

    The strength is an advantage in the logit of the chance of success (Rasch, 1960), here on a request of average difficulty.
    """
    if model.strength is None:
        return FailurePrior(PRIOR_FAILURE_RATE[model.tier])
    advantage = max(-_MAX_ADVANTAGE, min(_MAX_ADVANTAGE, SLOPE * model.strength))
    odds = _REFERENCE_FAILURE_RATE / (1.0 - _REFERENCE_FAILURE_RATE) * math.exp(-advantage)
    outcomes = worth(model.strength_error or DEFAULT_ERROR)
    count = max(_TIER_RATE_COUNT, _FIRMNESS * outcomes)
    return FailurePrior(odds / (1.0 + odds) / _REFERENCE_FAILURE_RATE, count, count, surplus=outcomes)


def typical_quality(prior: FailurePrior) -> float:
    """The expected quality on a request of average complexity, before any outcome."""
    return 1.0 - prior.rate * _REFERENCE_FAILURE_RATE


@dataclass(frozen=True, slots=True)
class FailureRate:
    """Observed failures of one model and expected failures of the reference model on the same requests, both weighted."""

    failed: float = 0.0
    expected: float = 0.0

    def rate(self, prior: FailurePrior) -> float:
        """Observed over expected, shrunk towards the prior."""
        prior_failures = prior.rate_count * _REFERENCE_FAILURE_RATE
        return (self.failed + prior_failures * prior.rate) / (self.expected + prior_failures)

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
