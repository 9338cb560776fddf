"""Learns what to expect of each model from outcomes, one at a time.

Quality is linear in the request's features: what is expected of any model with this one's rate of failure (`hardship`), plus weights of
its own, which a Bayesian regression that follows drift holds near 0 (`regression`). So a model without outcomes is expected to do as
its tier does on such a prompt. From some hundred labels on an `ensemble` is fitted to the newest of them, again and again, which the
estimates are then drawn to. Tokens and cost are means by pattern, likewise shrunk.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.catalog.catalog import TIERS, Catalog, Model
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, PosteriorVariances, dot, prior
from gateway.routing.estimation.cost_quality import CostQualityRate, fit_rate
from gateway.routing.estimation.difficulty import (
    PRIOR_FAILURE_RATE,
    FailureRate,
    PromptDifficulty,
    Vector,
    expected_weights,
    reference_failure_rate,
)
from gateway.routing.estimation.drift import CusumDetector
from gateway.routing.estimation.estimates import NOISE, OWN_PRECISION, Estimates
from gateway.routing.estimation.evidence import ANY_MODEL, NOTHING, Group, QualityStats, bucket_of
from gateway.routing.estimation.examples import Key, LabelledExample, Observation
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.usage import TokenEstimates, TokenEstimator
from gateway.routing.prompt.embedding import unpacked
from gateway.routing.prompt.features import vector_of
from gateway.routing.types import PromptFacts

if TYPE_CHECKING:
    from gateway.routing.estimation.ensemble import Ensemble

# Recent requests on which the exchange rate is found, and how often it is found anew.
_RECENT = 128
_EVERY = 16
_GOOD_CASE = 2.0

# Of so many outcomes of a model the oldest count least; fading is done so often.
_MEMORY = 4000.0
_FADED_EVERY = 16
_KEEP = math.sqrt(1.0 - _FADED_EVERY / _MEMORY)

# What is left of certainty when a model turns out to be another than it was.
_AFTER_ALARM = 0.25


# The ensemble is fitted first at so many labels, then each time there are that share more, to so many of the newest.
FITTED_FROM = 250
_FITTED_AGAIN = 1.25
_MOST_APART = 1_000
_REMEMBERED = 5_000


@dataclass(frozen=True, slots=True)
class ModelState:
    """What is known of one model. `belief` is about how its weights differ from those expected at its rate of failure."""

    posterior: GaussianPosterior = field(default_factory=lambda: prior(OWN_PRECISION))
    record: FailureRate = field(default_factory=FailureRate)
    watch: CusumDetector = field(default_factory=CusumDetector)
    count: int = 0


@dataclass(frozen=True, slots=True)
class EstimatorState:
    """All that an estimator has learned, as a value.

    The ensemble can be made again: it was fitted to all but the last `since_fit` of `examples`, and to `fitted`, what was then expected.
    """

    learned: int = 0
    difficulty: PromptDifficulty = field(default_factory=PromptDifficulty)
    own: Mapping[Key, ModelState] = field(default_factory=dict)
    bucket_stats: Mapping[Group, QualityStats] = field(default_factory=dict)
    usage: TokenEstimates = field(default_factory=TokenEstimates)
    recent: Sequence[PromptFacts] = ()
    cost_rate: CostQualityRate = field(default_factory=CostQualityRate)
    examples: Sequence[LabelledExample] = ()
    labels: int = 0
    next_fit: int = FITTED_FROM
    since_fit: int = 0
    fitted: Mapping[Key, Vector] | None = None


class Estimator:
    """Not thread-safe: one thread learns; the Estimates it publishes are for all."""

    def __init__(self, catalog: Catalog, memory: EstimatorState | None = None) -> None:
        memory = memory or EstimatorState()
        self._models = {(model.provider, model.name): model for model in catalog}
        self._usual = [next((model for model in catalog if model.tier == tier), None) for tier in TIERS]
        self._difficulty = memory.difficulty
        # Models that the catalogue no longer lists are of no more use.
        self._own = {key: own for key, own in memory.own.items() if key in self._models}
        self._bucket_stats = dict(memory.bucket_stats)
        self._usage = TokenEstimator(memory.usage)
        self._recent = deque(memory.recent, maxlen=_RECENT)
        self._cost_rate = memory.cost_rate
        self._learned = memory.learned
        self._examples = deque(memory.examples, maxlen=_REMEMBERED + _MOST_APART)
        self._labels = memory.labels
        self._next_fit = memory.next_fit
        self._since_fit = memory.since_fit
        self._fitted = memory.fitted
        self._posterior_variances: PosteriorVariances | None = None
        self._ensemble = self._fit(memory.fitted) if memory.fitted is not None else None

    @property
    def update(self) -> int:
        return self._learned

    def memory(self) -> EstimatorState:
        return EstimatorState(
            learned=self._learned,
            difficulty=self._difficulty,
            own=dict(self._own),
            bucket_stats=dict(self._bucket_stats),
            usage=self._usage.book(),
            recent=tuple(self._recent),
            cost_rate=self._cost_rate,
            examples=tuple(self._examples),
            labels=self._labels,
            next_fit=self._next_fit,
            since_fit=self._since_fit,
            fitted=self._fitted,
        )

    def learn(self, observations: Sequence[Observation]) -> Estimates:
        """What is known after these too, however they are divided into calls. Models that the catalogue does not list teach nothing."""
        last_turn = (self._learned + len(observations)) // _EVERY * _EVERY
        for observation in observations:
            self._learned += 1
            model = self._models.get(observation.model)
            if model is not None:
                self._learn(model, observation)
            if self._learned == last_turn:
                self._cost_rate = self._found(self.estimates())
        return self.estimates()

    def _learn(self, model: Model, observation: Observation) -> None:
        tokens = observation.features.get("tokens", 0.0)
        facts = PromptFacts(
            prompt="",
            pattern=observation.pattern,
            complexity=observation.complexity,
            tokens=int(tokens) if math.isfinite(tokens) else 0,
            features=observation.features,
            vector=vector_of(observation.pattern, observation.features),
        )
        self._usage.learn(model, observation.outcome, pattern=observation.pattern, tokens=facts.tokens)
        self._recent.append(facts)
        quality = observation.outcome.quality
        if quality is not None and observation.weight > 0:
            self._learn_quality(model, facts, quality=quality, weight=observation.weight)
            self._remember(model, facts, quality=quality, weight=observation.weight)

    def _learn_quality(self, model: Model, facts: PromptFacts, *, quality: float, weight: float) -> None:
        x = facts.vector
        own = self._own.get(model.key) or ModelState()
        rate, weights = own.record.rate(model.tier), self._difficulty.weights
        beyond = quality - dot(x, expected_weights(rate, weights))
        watch = own.watch.update((beyond - dot(x, own.posterior.mean)) / NOISE, weight=weight)
        self._own[model.key] = replace(
            own,
            posterior=own.posterior.update(x, beyond, weight=weight),
            record=own.record.plus(
                failed=weight * (1.0 - quality), expected=weight * reference_failure_rate(x, weights)
            ),
            watch=watch,
            count=own.count + 1,
        )
        self._difficulty = self._difficulty.update(x, quality, rate=rate, weight=weight)
        for counted in (model.key, ANY_MODEL):
            group = bucket_of(counted, pattern=facts.pattern, complexity=facts.complexity)
            self._bucket_stats[group] = self._bucket_stats.get(group, NOTHING).plus(quality, weight=weight)
        if watch.drift_detected:
            self._uncertainty(model.key)
        elif (own.count + 1) % _FADED_EVERY == 0:
            self._fade(model.key)

    def _remember(self, model: Model, facts: PromptFacts, *, quality: float, weight: float) -> None:
        """For the ensemble, where the row has an embedding; fit it when that is due."""
        embedding = unpacked(facts.features)
        if embedding is None:
            return
        kept = LabelledExample(model.key, array("d", facts.vector), array("b", map(int, embedding)), quality, weight)
        self._examples.append(kept)
        self._labels += 1
        self._since_fit += 1
        if self._labels >= self._next_fit:
            self._next_fit = min(int(_FITTED_AGAIN * self._labels), self._labels + _MOST_APART)
            self._fit_again()

    def _fit_again(self) -> None:
        weights = self._difficulty.weights
        self._since_fit = 0
        self._fitted = {key: self._expected(key, own, weights) for key, own in self._own.items()}
        self._ensemble = self._fit(self._fitted)

    def _fit(self, expected: Mapping[Key, Vector]) -> Ensemble:
        from gateway.routing.estimation.ensemble import fit  # brings NumPy: 24 MB that an idle gateway does without

        last = len(self._examples) - self._since_fit
        return fit(list(self._examples)[max(0, last - _REMEMBERED) : last], expected)

    def _fade(self, key: Key) -> None:
        """Time has passed, for this model and, since any one's outcomes are all's, for what they share."""
        own = self._own[key]
        self._own[key] = replace(
            own, posterior=own.posterior.decay(_KEEP, OWN_PRECISION), record=own.record.decay(_KEEP * _KEEP)
        )
        self._difficulty = self._difficulty.decay(_KEEP)

    def _uncertainty(self, key: Key) -> None:
        """The model has changed: what was known of it counts for little, the next outcomes for much."""
        own = self._own[key]
        self._own[key] = replace(
            own,
            posterior=own.posterior.inflate(_AFTER_ALARM, OWN_PRECISION),
            record=own.record.decay(_AFTER_ALARM),
            watch=CusumDetector(),
        )
        self._bucket_stats = {group: stats for group, stats in self._bucket_stats.items() if group[0] != key}
        others = [each for each in self._examples if each.model != key]
        self._examples = deque(others, maxlen=self._examples.maxlen)
        if self._ensemble is not None:
            self._fit_again()

    def estimates(self) -> Estimates:
        """What is known now."""
        weights = self._difficulty.weights
        posteriors = {key: own.posterior for key, own in self._own.items()}
        if self._ensemble is not None:  # then NumPy is loaded
            self._posterior_variances = PosteriorVariances(posteriors, self._posterior_variances)
        else:
            self._posterior_variances = None
        return Estimates(
            tiers={tier: expected_weights(PRIOR_FAILURE_RATE[tier], weights) for tier in TIERS},
            means={key: self._weights(key, own, weights) for key, own in self._own.items()},
            posteriors=posteriors,
            usage=self._usage.book(),
            bucket_stats=dict(self._bucket_stats),
            cost_rate=self._cost_rate,
            ensemble=self._ensemble,
            posterior_variances=self._posterior_variances,
            learned=self._learned,
        )

    def _expected(self, key: Key, own: ModelState, weights: Vector) -> Vector:
        return expected_weights(own.record.rate(self._models[key].tier), weights)

    def _weights(self, key: Key, own: ModelState, weights: Vector) -> Vector:
        expected = self._expected(key, own, weights)
        return tuple([each + further for each, further in zip(expected, own.posterior.mean, strict=True)])

    def _found(self, estimates: Estimates) -> CostQualityRate:
        columns = ModelColumns(model for key, model in self._models.items() if key in self._own or model in self._usual)
        rows = [estimates.across(columns, facts) for facts in self._recent]
        # The best as far as can be hoped: else a poor start of the best would make the whole span look short.
        hopes = [sum(each.quality + _GOOD_CASE * each.std for each in column) for column in zip(*rows, strict=True)]
        best = hopes.index(max(hopes)) if hopes else 0
        costs = [estimates.costs(columns, facts) for facts in self._recent]
        sample = [
            [(each.quality, cost) for each, cost in zip(*pair, strict=True)] for pair in zip(rows, costs, strict=True)
        ]
        return fit_rate(sample, best=best, key=columns.keys[best] if hopes else None)
