"""What to expect of each model on a request: quality, its spread, cost. All that routing decides on beside what a model can do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.catalog import Model, Tier
from gateway.routing.exchange import Exchange
from gateway.routing.features import SIZE
from gateway.routing.likeness import Group, Tally, group_of, like
from gateway.routing.models import Confidence, PromptFacts
from gateway.routing.regression import Posterior, dot
from gateway.routing.usage import UsageBook

Key = tuple[str, str]
Vector = tuple[float, ...]

PRIOR_QUALITY: Mapping[Tier, float] = {"simple": 0.70, "moderate": 0.80, "complex": 0.90}

# Standard deviation of one outcome's quality around what the features explain.
NOISE = 0.4

# How firmly weights are held: those all models share towards 0, each model's own towards the shared ones. The first
# is the constant's: a model's general level is learned soon, how it differs on each feature later.
SHARED_PRECISION: tuple[float, ...] = (5.0, *[5.0] * (SIZE - 1))
OWN_PRECISION: tuple[float, ...] = (5.0, *[60.0] * (SIZE - 1))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one model on one request. `quality` is 0 to 1, `spread` its standard deviation, `cost` USD.

    `score` is the quality before it is held to 0 to 1, so that models beyond the ends can still be told apart.
    """

    quality: float
    spread: float
    cost: float
    outcomes: int
    confidence: Confidence
    score: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """A snapshot of what was learned from `learned` outcomes; never changes, so any thread may read it.

    `shared` are the weights common to all models; `means` and `posteriors` those of each model that has outcomes of its own.
    """

    shared: Vector = (0.0,) * SIZE
    means: Mapping[Key, Vector] = field(default_factory=dict)
    posteriors: Mapping[Key, Posterior] = field(default_factory=dict)
    usage: UsageBook = field(default_factory=UsageBook)
    tallies: Mapping[Group, Tally] = field(default_factory=dict)
    exchange: Exchange = field(default_factory=Exchange)
    learned: int = 0

    def of(self, model: Model, facts: PromptFacts, *, max_tokens: int | None = None) -> Estimate:
        key = (model.provider, model.name)
        tally = like(self.tallies, group_of(key, pattern=facts.pattern, complexity=facts.complexity))
        score = self._score(model, facts)
        return Estimate(
            quality=min(1.0, max(0.0, score)),
            spread=NOISE * math.sqrt(self._variance(key, facts)),
            cost=self._cost(model, facts, max_tokens=max_tokens),
            outcomes=int(tally.count + 1e-6),
            confidence=tally.confidence(),
            score=score,
        )

    def expected(self, model: Model, facts: PromptFacts) -> tuple[float, float]:
        """Score and cost alone, which is quick."""
        return self._score(model, facts), self._cost(model, facts, max_tokens=None)

    def _cost(self, model: Model, facts: PromptFacts, *, max_tokens: int | None) -> float:
        return self.usage.expected_cost(model, pattern=facts.pattern, tokens=facts.tokens, max_tokens=max_tokens)

    def _score(self, model: Model, facts: PromptFacts) -> float:
        mean = self.means.get((model.provider, model.name))
        if mean is None:
            return PRIOR_QUALITY[model.tier] + dot(self.shared, facts.vector)
        return dot(mean, facts.vector)

    def _variance(self, key: Key, facts: PromptFacts) -> float:
        posterior = self.posteriors.get(key)
        if posterior is None:
            return sum(xi * xi / held for xi, held in zip(facts.vector, OWN_PRECISION, strict=True))
        return posterior.variance(facts.vector)


def prior_mean(model: Model, shared: Vector) -> Vector:
    """The prior mean of a model's own weights: its tier's quality, and what all models find hard or easy."""
    return (PRIOR_QUALITY[model.tier] + shared[0], *shared[1:])
