"""The estimates for one request: the expected quality of each model, its standard deviation, and the expected cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from operator import mul, truediv
from typing import TYPE_CHECKING, NamedTuple

from gateway.catalog import ModelKey
from gateway.catalog.catalog import Model
from gateway.routing.estimation.agreement import (
    ANY_PAIR,
    ANY_RATE,
    PRIOR_COUNT,
    agreement_key,
    expected_difference,
)
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, PosteriorVariances, dot
from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.difficulty import PRIOR_WEIGHTS, FailurePrior, Vector, expected_weights, failure_prior
from gateway.routing.estimation.evidence import (
    ANY_MODEL,
    NOTHING,
    Group,
    QualityStats,
    complexity_bin,
    confidence,
    similar,
)
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.usage import TokenEstimates
from gateway.routing.prompt.embedding import unpacked_bytes
from gateway.routing.prompt.features import SIZE
from gateway.routing.types import Confidence, PromptFacts

if TYPE_CHECKING:
    from gateway.routing.estimation.ensemble import Ensemble

# The standard deviation of one outcome's quality around its prediction, and the pseudo-count of the prior in outcomes.
NOISE = 0.4
_PRIOR_COUNT = 4.0

_FEATURE_PRECISION: tuple[float, ...] = (60.0,) * (SIZE - 1)
# Of a model with a public strength: what it is expected to reach is known better, so single outcomes say less about features.
_STRENGTH_FEATURE_PRECISION: tuple[float, ...] = (150.0,) * (SIZE - 1)


# What is kept of a prompt's difference in agreement from the usual one. Linear probabilities are too sure at both ends: on 2,000 prompts
# those of 0.0, 0.5 and 1.0 were .21, .59 and .88.
_KEPT_OF_AGREEMENT = 0.7
# How many combinations of models, pattern and complexity a snapshot keeps the evidence of.
_MEMOISED = 512


class Estimate(NamedTuple):
    """One model on one request. `quality` is 0 to 1, `std` its standard deviation from the number of outcomes.

    `outcomes` counts the model's outcomes on similar prompts; `has_outcomes` says that it has any, on whatever prompts.
    """

    quality: float
    std: float
    outcomes: int = 0
    confidence: Confidence = "low"
    has_outcomes: bool = False


class EvidenceColumns(NamedTuple):
    """What the outcomes on similar prompts say of each model, as columns in the order of a ModelColumns.

    It depends on the prompt only through its pattern and complexity, so a snapshot keeps it. The first four columns are members of
    `Estimate`. `tried` are the places of the models with outcomes, `support` is the weighted number of similar prompts' outcomes, of
    all models.
    """

    stds: Sequence[float]
    outcomes: Sequence[int]
    confidences: Sequence[Confidence]
    has_outcomes: Sequence[bool]
    tried: Sequence[int]
    support: float


class EstimateColumns(NamedTuple):
    """All models on one request: each column is a member of `Estimate`, in the order of a ModelColumns."""

    qualities: list[float]
    evidence: EvidenceColumns

    def row(self, place: int) -> Estimate:
        stds, outcomes, confidences, has_outcomes, _, _ = self.evidence
        return Estimate(self.qualities[place], stds[place], outcomes[place], confidences[place], has_outcomes[place])


def prior_quality(prior: FailurePrior, facts: PromptFacts) -> float:
    """The expected quality of a model before any outcome, 0 to 1."""
    return _clamp(1.0 - prior.rate * dot(facts.vector, PRIOR_WEIGHTS))


def own_precision(prior: FailurePrior) -> tuple[float, ...]:
    """Prior precision of a model's own deviations: its general level is learned quickly, its deviation on each feature slowly."""
    features = _STRENGTH_FEATURE_PRECISION if prior.surplus else _FEATURE_PRECISION
    return (prior.level_precision, *features)


# That of a model of which only the tier is known; no prior is weaker.
_LEAST_PRECISION = own_precision(FailurePrior(1.0))


def _clamp(quality: float) -> float:
    return min(1.0, max(0.0, quality))


@dataclass(frozen=True, slots=True)
class Estimates:
    """An immutable snapshot of what was learned from `learned` outcomes; safe to read from any thread.

    `reference_weights` are the failure weights of the reference model. `model_weights` are the quality weights of each model with
    outcomes, and `posteriors` the posteriors of its own deviations. `ensemble` and `posterior_variances` (the posteriors, vectorised) are set
    once there are enough labels for a first fit.
    """

    reference_weights: Vector = PRIOR_WEIGHTS
    model_weights: Mapping[ModelKey, Vector] = field(default_factory=dict)
    posteriors: Mapping[ModelKey, GaussianPosterior] = field(default_factory=dict)
    usage: TokenEstimates = field(default_factory=TokenEstimates)
    bucket_stats: Mapping[Group, QualityStats] = field(default_factory=dict)
    cost_rate: CostQualityRate = field(default_factory=CostQualityRate)
    ensemble: Ensemble | None = None
    posterior_variances: PosteriorVariances | None = None
    learned: int = 0
    _evidence: Callable[[ModelColumns, str, int], EvidenceColumns] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A function of the two mappings, not a method: a cache that refers to its own snapshot would keep it until the
        # garbage collector runs.
        evidence_of = partial(_evidence_columns, self.bucket_stats, self.model_weights)
        object.__setattr__(self, "_evidence", lru_cache(maxsize=_MEMOISED)(evidence_of))

    def of(self, model: Model, facts: PromptFacts) -> Estimate:
        return self.across(ModelColumns([model]), facts).row(0)

    def across(self, columns: ModelColumns, facts: PromptFacts) -> EstimateColumns:
        """The estimates of all models for one request."""
        failure = max(0.0, dot(facts.vector, self.reference_weights))
        qualities = [
            quality if (quality := 1.0 - rate * failure) > 0.0 else 0.0 for rate in columns.prior_failure_rates
        ]
        evidence = self.evidence(columns, facts)
        if evidence.tried:
            vector, blended = facts.vector, self._blended(facts)
            for place in evidence.tried:
                key = columns.keys[place]
                qualities[place] = _clamp(blended(key, dot(vector, self.model_weights[key])))
        return EstimateColumns(qualities, evidence)

    def typical(self, columns: ModelColumns) -> list[float] | None:
        """The expected quality of each model on the mean of the recent requests; None before there were enough."""
        x = self.cost_rate.typical
        if not x:
            return None
        failure = max(0.0, dot(x, self.reference_weights))
        return [
            _clamp(dot(x, weights)) if (weights := self.model_weights.get(key)) else _clamp(1.0 - rate * failure)
            for key, rate in zip(columns.keys, columns.prior_failure_rates, strict=True)
        ]

    def agreement(self, one: Model, other: Model, facts: PromptFacts) -> tuple[float, float]:
        """The probability, 0 to 1, that the answers of two models are the same, and its standard deviation."""
        weights = self.model_weights.get(ANY_PAIR) or expected_weights(ANY_RATE, self.reference_weights)
        agreement = dot(facts.vector, weights)
        if typical := self.cost_rate.typical:
            usual = dot(typical, weights)
            agreement = usual + _KEPT_OF_AGREEMENT * (agreement - usual)
        differences = self.bucket_stats.get((agreement_key(one.key, other.key), "", 0), NOTHING)
        count = differences.count + PRIOR_COUNT
        expected = expected_difference(failure_prior(one), failure_prior(other))
        return _clamp(agreement + (differences.total + PRIOR_COUNT * expected) / count), NOISE / math.sqrt(count)

    def evidence(self, columns: ModelColumns, facts: PromptFacts) -> EvidenceColumns:
        """What outcomes on similar prompts say of each model, from the snapshot's cache where possible."""
        return self._evidence(columns, facts.pattern, complexity_bin(facts.complexity))

    def costs(self, columns: ModelColumns, facts: PromptFacts, *, max_tokens: int | None = None) -> list[float]:
        """The expected cost (USD) of each model, in the order of the columns."""
        return self.usage.expected_costs(columns, pattern=facts.pattern, tokens=facts.tokens, max_tokens=max_tokens)

    def _blended(self, facts: PromptFacts) -> Callable[[ModelKey, float], float]:
        """Shrinks a model's online estimate towards the ensemble's, if there is one and the prompt's embedding is known."""
        embedding = None if self.ensemble is None else unpacked_bytes(facts.features)
        if self.ensemble is None or embedding is None:
            return lambda key, online: online
        return self.ensemble.on(facts.vector, embedding)

    def posterior_std(self, facts: PromptFacts) -> Callable[[ModelKey], float]:
        """For one request: the posterior standard deviation of the expected quality of a model that has outcomes.

        It is large where the model's outcomes were on other kinds of prompts. Most requests ask for no model's, so the
        variances of all models are computed at the first call.
        """
        if self.posterior_variances is None:
            return lambda key: NOISE * math.sqrt(self.posteriors[key].variance(facts.vector))
        variances = cache(partial(self.posterior_variances.variances, facts.vector))
        return lambda key: NOISE * math.sqrt(variances()[key])

    def max_posterior_std(self, facts: PromptFacts) -> float:
        """The prior standard deviation, of a model without outcomes: the upper bound of `posterior_std`."""
        squares = map(mul, facts.vector, facts.vector)
        return NOISE * math.sqrt(sum(map(truediv, squares, _LEAST_PRECISION)))


def _evidence_columns(
    bucket_stats: Mapping[Group, QualityStats],
    model_weights: Mapping[ModelKey, Vector],
    columns: ModelColumns,
    pattern: str,
    bin_: int,
) -> EvidenceColumns:
    """A model without outcomes has the standard deviation of the prior and low confidence."""
    size = len(columns.models)
    stds, outcomes = [NOISE / math.sqrt(_PRIOR_COUNT + prior.surplus) for prior in columns.priors], [0] * size
    confidences: list[Confidence] = ["low"] * size
    tried = [place for place, key in enumerate(columns.keys) if key in model_weights]
    support = similar(bucket_stats, (ANY_MODEL, pattern, bin_)).count
    for place in tried:
        stats = similar(bucket_stats, (columns.keys[place], pattern, bin_))
        stds[place] = NOISE / math.sqrt(stats.count + _PRIOR_COUNT + columns.priors[place].surplus)
        outcomes[place] = int(stats.count + 1e-6)
        confidences[place] = confidence(stats, all_models=support)
    has_outcomes = [key in model_weights for key in columns.keys]
    return EvidenceColumns(stds, outcomes, confidences, has_outcomes, tried, support)
