"""What all models find hard, and how much of it each one shows.

A model is expected to fail on a request with the chance `rate x`, where `x'w` is the failure rate of a middling model there, learned from the
outcomes of all, and `rate` is how many of a middling model's failures this one has: a strong model fails half as
often, on whatever is hard. So what is learned of one model says of each other not only that it will do worse on such
a request but how far the stronger ones are ahead: little where it is easy, much where it is hard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.catalog.catalog import TIERS, Tier
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, dot, prior
from gateway.routing.prompt.features import NAMES, SIZE

Vector = tuple[float, ...]

# A middling model fails on every fifth request of middling complexity, on more of the complex ones.
_USUAL = 0.20
_SLOPE = 0.09
_COMPLEXITY = 1 + NAMES.index("complexity")
PRIOR_WEIGHTS: Vector = tuple(_USUAL if i == 0 else _SLOPE if i == _COMPLEXITY else 0.0 for i in range(SIZE))
PRIOR_FAILURE_RATE: Mapping[Tier, float] = {"simple": 1.5, "moderate": 1.0, "complex": 0.5}
# So before any outcome, on a request of middling complexity:
PRIOR_QUALITY: Mapping[Tier, float] = {"simple": 0.70, "moderate": 0.80, "complex": 0.90}

_PRECISION: tuple[float, ...] = (5.0,) * SIZE
# So many outcomes count as much as the prior: of all models for the weights, of the model itself for its rate.
_WEIGHTS_COUNT = 20.0
_RATE_COUNT = 20.0
_LEAST, _MOST = 0.02, 0.98


@dataclass(frozen=True, slots=True)
class FailureRate:
    """Of one model: how many failures (by weight) there were, and how many a middling model would have had."""

    failed: float = 0.0
    expected: float = 0.0

    def rate(self, tier: Tier) -> float:
        firm = _RATE_COUNT * _USUAL
        return (self.failed + firm * PRIOR_FAILURE_RATE[tier]) / (self.expected + firm)

    def plus(self, *, failed: float, expected: float) -> FailureRate:
        return FailureRate(self.failed + failed, self.expected + expected)

    def decay(self, keep: float) -> FailureRate:
        return FailureRate(keep * self.failed, keep * self.expected)


@dataclass(frozen=True, slots=True)
class PromptDifficulty:
    """`belief` is about how the weights differ from PRIOR_WEIGHTS; `judged` counts the outcomes behind it."""

    posterior: GaussianPosterior = field(default_factory=lambda: prior(_PRECISION))
    judged: float = 0.0

    @property
    def weights(self) -> Vector:
        """Of a middling model's failure rate. A few outcomes move them little: they are hardly evidence about others."""
        trust = self.judged / (self.judged + _WEIGHTS_COUNT)
        return tuple([usual + trust * own for usual, own in zip(PRIOR_WEIGHTS, self.posterior.mean, strict=True)])

    def update(self, x: Vector, quality: float, *, rate: float, weight: float) -> PromptDifficulty:
        """After an outcome of a model with this rate."""
        seen = tuple([rate * xi for xi in x])
        surprise = 1.0 - quality - dot(seen, PRIOR_WEIGHTS)
        return PromptDifficulty(self.posterior.update(seen, surprise, weight=weight), self.judged + weight)

    def decay(self, keep: float) -> PromptDifficulty:
        return PromptDifficulty(self.posterior.decay(keep, _PRECISION), self.judged)


def reference_failure_rate(x: Vector, weights: Vector) -> float:
    """A middling model's chance to fail."""
    return min(_MOST, max(_LEAST, dot(x, weights)))


def expected_weights(rate: float, weights: Vector) -> Vector:
    """Of the quality of a model with this rate and nothing of its own."""
    return (1.0 - rate * weights[0], *[-rate * weight for weight in weights[1:]])


PRIORS: Mapping[Tier, Vector] = {tier: expected_weights(PRIOR_FAILURE_RATE[tier], PRIOR_WEIGHTS) for tier in TIERS}
