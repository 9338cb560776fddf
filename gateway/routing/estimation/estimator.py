"""The online learner: updates the estimates of quality and cost with one outcome at a time.

Together with `strategies/selection.py` this is a contextual bandit: each model is a Bayesian linear arm. Its quality is linear in the
features of the request, in two parts: the quality expected at the model's failure rate (`difficulty`), shared by all models, and the
model's own deviations from it, a Bayesian regression with forgetting that is shrunk to 0 (`bayesian_regression`). So a model without
outcomes is expected to perform as its tier does on such a prompt. A CUSUM detector per model (`drift`) discounts what was learned when the
model's quality changes. From a few hundred labels on, an `ensemble` is fitted periodically and the estimates are shrunk towards its
predictions. Tokens and cost are shrunk means by pattern (`usage`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.catalog import ModelKey
from gateway.catalog.catalog import TIERS, Catalog, Model
from gateway.records import Agreement
from gateway.routing.estimation.agreement import (
    AGREED_QUALITY,
    ANY_PAIR,
    ANY_RATE,
    MOST_DIFFERED,
    compared_pair,
    stands_for,
)
from gateway.routing.estimation.bayesian_regression import GaussianPosterior, PosteriorVariances, dot, prior
from gateway.routing.estimation.cost_quality import CostQualityRate, fit_rate
from gateway.routing.estimation.difficulty import (
    FailurePrior,
    FailureRate,
    PromptDifficulty,
    Vector,
    expected_weights,
    failure_prior,
    reference_failure_rate,
)
from gateway.routing.estimation.drift import CusumDetector
from gateway.routing.estimation.estimates import NOISE, Estimates, own_precision
from gateway.routing.estimation.evidence import ANY_MODEL, NOTHING, Group, QualityStats, bucket_of
from gateway.routing.estimation.examples import Observation, ReplayBuffer, ReplayState, labelled_example
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.throttle import Pause, no_pause
from gateway.routing.estimation.usage import TokenEstimates, TokenEstimator
from gateway.routing.prompt.features import vector_of
from gateway.routing.types import PromptFacts

if TYPE_CHECKING:
    from gateway.routing.estimation.ensemble import Ensemble

# The cost multiplier is fitted to this many of the newest requests, once per this many outcomes.
_RATE_SAMPLE = 128
_RATE_INTERVAL = 16

# Forgetting: an effective memory of 4,000 outcomes of a model, applied once per 16 outcomes.
_MEMORY = 4000.0
_DECAY_INTERVAL = 16
_KEEP = math.sqrt(1.0 - _DECAY_INTERVAL / _MEMORY)

# The share of what was learned of a model that is kept when drift is detected.
_KEEP_AFTER_DRIFT = 0.25


@dataclass(frozen=True, slots=True)
class ModelState:
    """What was learned of one model. `posterior` is over the deviations of its weights from those expected at its failure rate."""

    posterior: GaussianPosterior
    failures: FailureRate = field(default_factory=FailureRate)
    drift: CusumDetector = field(default_factory=CusumDetector)
    count: int = 0


@dataclass(frozen=True, slots=True)
class EstimatorState:
    """The complete state of an estimator. `learned` counts its outcomes, `recent` are the requests of the newest ones.

    The ensemble is not part of it: a restart fits it again to the training set of `replay` and the expected weights `fitted`.
    """

    learned: int = 0
    difficulty: PromptDifficulty = field(default_factory=PromptDifficulty)
    models: Mapping[ModelKey, ModelState] = field(default_factory=dict)
    bucket_stats: Mapping[Group, QualityStats] = field(default_factory=dict)
    usage: TokenEstimates = field(default_factory=TokenEstimates)
    recent: Sequence[PromptFacts] = ()
    cost_rate: CostQualityRate = field(default_factory=CostQualityRate)
    replay: ReplayState = field(default_factory=ReplayState)
    fitted: Mapping[ModelKey, Vector] | None = None


class Estimator:
    """Not thread-safe: one thread learns. The Estimates that it returns may be read by all."""

    def __init__(self, catalog: Catalog, state: EstimatorState | None = None) -> None:
        state = state or EstimatorState()
        self._catalog = {model.key: model for model in catalog}
        self._priors = {key: failure_prior(model) for key, model in self._catalog.items()}
        self._priors[ANY_PAIR] = FailurePrior(ANY_RATE)
        self._first_of_tier = [next((model for model in catalog if model.tier == tier), None) for tier in TIERS]
        self._difficulty = state.difficulty
        # Models that are no longer in the catalogue are dropped.
        self._models = {key: model_state for key, model_state in state.models.items() if key in self._priors}
        self._bucket_stats = dict(state.bucket_stats)
        self._usage = TokenEstimator(state.usage)
        self._recent = deque(state.recent, maxlen=_RATE_SAMPLE)
        self._cost_rate = state.cost_rate
        self._learned = state.learned
        self._replay = ReplayBuffer(state.replay)
        self._fitted = state.fitted
        self._posterior_variances: PosteriorVariances | None = None
        self._ensemble: Ensemble | None = None  # of the last fit; fitted when the estimates are next asked for

    @property
    def learned(self) -> int:
        """How many outcomes were learned."""
        return self._learned

    def state(self) -> EstimatorState:
        return EstimatorState(
            learned=self._learned,
            difficulty=self._difficulty,
            models=dict(self._models),
            bucket_stats=dict(self._bucket_stats),
            usage=self._usage.estimates(),
            recent=tuple(self._recent),
            cost_rate=self._cost_rate,
            replay=self._replay.state(),
            fitted=self._fitted,
        )

    def learn(self, observations: Sequence[Observation], *, pause: Pause = no_pause) -> Estimates:
        """Learns the observations in order and returns the estimates after them. Splitting them into several calls changes nothing.

        Observations of models that are not in the catalogue are counted and otherwise ignored. `pause` is called between two
        steps: one observation, one request of a fit, or one model of a fit.
        """
        last_rate_fit = (self._learned + len(observations)) // _RATE_INTERVAL * _RATE_INTERVAL
        for observation in observations:
            self._learned += 1
            model = self._catalog.get(observation.model)
            if model is not None:
                self._learn(model, observation)
            if self._learned == last_rate_fit:
                self._cost_rate = self._fit_cost_rate(self.estimates(pause=pause), pause=pause)
            pause()
        return self.estimates(pause=pause)

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
        if not observation.rated:
            quality = self._compared_quality(model.key, facts, observation.agreement)
        if quality is not None and observation.weight > 0:
            self._learn_quality(model.key, facts, quality=quality, weight=observation.weight)
        if observation.agreement is not None:
            self._learn_agreement(model.key, facts, observation)

    def _learn_agreement(self, key: ModelKey, facts: PromptFacts, observation: Observation) -> None:
        agreement, quality = observation.agreement, observation.outcome.quality
        pair = compared_pair(agreement, key) if observation.compared else None
        if agreement is not None and pair is not None:
            agreed, comparisons = float(bool(agreement.agreed)), (pair, "", 0)
            difference = agreed - self._expected(ANY_PAIR, facts)
            self._bucket_stats[comparisons] = self._bucket_stats.get(comparisons, NOTHING).plus(difference, weight=1.0)
            self._learn_weights(ANY_PAIR, facts, quality=agreed, weight=1.0)
        escalation = stands_for(agreement, key, rated=observation.rated)
        if escalation in self._catalog and escalation is not None and quality is not None and observation.weight > 0:
            self._learn_quality(escalation, facts, quality=quality, weight=observation.weight)

    def _compared_quality(self, key: ModelKey, facts: PromptFacts, agreement: Agreement | None) -> float | None:
        """What an unrated answer is worth after its comparison: the model's expected quality, divided between agreement and difference.

        So comparisons teach on which prompts a model is good, and not how good it is: both models of a pair get the same ones.
        """
        if agreement is None or agreement.agreed is None:
            return None
        if agreement.agreed:
            return AGREED_QUALITY
        agreed = min(0.9, max(0.1, self._expected(ANY_PAIR, facts)))
        return min(MOST_DIFFERED, max(0.0, (self._expected(key, facts) - AGREED_QUALITY * agreed) / (1.0 - agreed)))

    def _expected(self, key: ModelKey, facts: PromptFacts) -> float:
        weights = self._difficulty.weights
        state = self._models.get(key) or ModelState(prior(own_precision(self._priors[key])))
        return dot(facts.vector, self._model_weights(key, state, weights))

    def _learn_quality(self, key: ModelKey, facts: PromptFacts, *, quality: float, weight: float) -> None:
        for each in (key, ANY_MODEL):
            bucket = bucket_of(each, pattern=facts.pattern, complexity=facts.complexity)
            self._bucket_stats[bucket] = self._bucket_stats.get(bucket, NOTHING).plus(quality, weight=weight)
        self._learn_weights(key, facts, quality=quality, weight=weight)
        self._add_example(key, facts, quality=quality, weight=weight)

    def _learn_weights(self, key: ModelKey, facts: PromptFacts, *, quality: float, weight: float) -> None:
        x = facts.vector
        expected = self._priors[key]
        state = self._models.get(key) or ModelState(prior(own_precision(expected)))
        rate, weights = state.failures.rate(expected), self._difficulty.weights
        residual = quality - dot(x, expected_weights(rate, weights))
        drift = state.drift.update((residual - dot(x, state.posterior.mean)) / NOISE, weight=weight)
        self._models[key] = replace(
            state,
            posterior=state.posterior.update(x, residual, weight=weight),
            failures=state.failures.plus(
                failed=weight * (1.0 - quality), expected=weight * reference_failure_rate(x, weights)
            ),
            drift=drift,
            count=state.count + 1,
        )
        self._difficulty = self._difficulty.update(x, quality, rate=rate, weight=weight)
        if drift.drift_detected:
            self._discount(key)
        elif (state.count + 1) % _DECAY_INTERVAL == 0:
            self._decay(key)

    def _decay(self, key: ModelKey) -> None:
        """Forgetting, of one model and of the difficulty that all models share."""
        state = self._models[key]
        self._models[key] = replace(
            state,
            posterior=state.posterior.decay(_KEEP, own_precision(self._priors[key])),
            failures=state.failures.decay(_KEEP * _KEEP),
        )
        self._difficulty = self._difficulty.decay(_KEEP)

    def _discount(self, key: ModelKey) -> None:
        """After drift: inflates the model's uncertainty, so that its next outcomes count for much, and drops its older evidence."""
        state = self._models[key]
        self._models[key] = replace(
            state,
            posterior=state.posterior.inflate(_KEEP_AFTER_DRIFT, own_precision(self._priors[key])),
            failures=state.failures.decay(_KEEP_AFTER_DRIFT),
            drift=CusumDetector(),
        )
        self._bucket_stats = {bucket: stats for bucket, stats in self._bucket_stats.items() if bucket[0] != key}
        self._replay.remove_model(key)
        if self._fitted is not None:
            self._start_fit()

    def _add_example(self, key: ModelKey, facts: PromptFacts, *, quality: float, weight: float) -> None:
        example = labelled_example(key, facts, quality=quality, weight=weight)
        if example is None:
            return
        self._replay.add(example)
        if self._replay.fit_due:
            self._start_fit()

    def _start_fit(self) -> None:
        """Fixes what the ensemble is fitted to. Of several fits that fall due before the estimates are asked for, only the last is done."""
        weights = self._difficulty.weights
        self._replay.start_fit()
        self._fitted = {
            key: self._expected_weights(key, state, weights)
            for key, state in self._models.items()
            if key in self._catalog
        }
        self._ensemble = None

    def _fit(self, expected: Mapping[ModelKey, Vector], *, pause: Pause) -> Ensemble:
        from gateway.routing.estimation.ensemble import fit  # imports NumPy: 24 MB that an idle gateway does not need

        return fit(self._replay.training_set(), expected, pause=pause)

    def estimates(self, *, pause: Pause = no_pause) -> Estimates:
        """The current estimates."""
        weights = self._difficulty.weights
        posteriors = {key: state.posterior for key, state in self._models.items()}
        if self._fitted is not None:
            self._ensemble = self._ensemble or self._fit(self._fitted, pause=pause)
            self._posterior_variances = PosteriorVariances(posteriors, self._posterior_variances)
        return Estimates(
            reference_weights=weights,
            model_weights={key: self._model_weights(key, state, weights) for key, state in self._models.items()},
            posteriors=posteriors,
            usage=self._usage.estimates(),
            bucket_stats=dict(self._bucket_stats),
            cost_rate=self._cost_rate,
            ensemble=self._ensemble,
            posterior_variances=self._posterior_variances,
            learned=self._learned,
        )

    def _expected_weights(self, key: ModelKey, state: ModelState, weights: Vector) -> Vector:
        """The model's quality weights without its own deviations."""
        return expected_weights(state.failures.rate(self._priors[key]), weights)

    def _model_weights(self, key: ModelKey, state: ModelState, weights: Vector) -> Vector:
        expected = self._expected_weights(key, state, weights)
        return tuple([weight + deviation for weight, deviation in zip(expected, state.posterior.mean, strict=True)])

    def _fit_cost_rate(self, estimates: Estimates, *, pause: Pause) -> CostQualityRate:
        """Fits the cost multiplier to the recent requests, over the models with outcomes and the first model of each tier."""
        columns = ModelColumns(
            model for key, model in self._catalog.items() if key in self._models or model in self._first_of_tier
        )
        estimated, costs = [], []
        for facts in self._recent:
            estimated.append(estimates.across(columns, facts))
            costs.append(estimates.costs(columns, facts))
            pause()
        # The anchor does not depend on outcomes: an unlucky or lucky start of a model must not change the cost span.
        totals = [sum(column) for column in zip(*costs, strict=True)] or [0.0] * len(columns.keys)
        anchor = min(columns.strongest, key=totals.__getitem__, default=0)
        sample = [list(zip(row.qualities, cost, strict=True)) for row, cost in zip(estimated, costs, strict=True)]
        fitted = fit_rate(sample, anchor=anchor, key=columns.keys[anchor] if columns.keys else None, pause=pause)
        vectors = [facts.vector for facts in self._recent]
        return replace(fitted, typical=tuple([sum(column) / len(vectors) for column in zip(*vectors, strict=True)]))
