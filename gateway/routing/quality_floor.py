"""The quality floor: a cheaper model answers a kind of prompts only while ratings prove that it is good enough there.

Ratings are collected by model and pattern. A model holds the floor while the lower confidence bound of its quality is at least
`floor` times the upper bound of the baseline's. The bounds are confidence sequences, valid however often they are looked at. As long
as a model does not hold the floor, the baseline answers in its place, except in trials: a random share of the conversations that
goes to it all the same, so small that it cannot cost more than half of what the floor leaves. Ratings of trials are the evidence by
which a model is allowed, and by which it recovers after it was demoted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from gateway.catalog.catalog import ModelKey
from gateway.confidence_sequence import ConfidenceSequence
from gateway.routing.estimation.drift import CusumDetector
from gateway.routing.estimation.estimates import NOISE
from gateway.routing.estimation.throttle import Pause, no_pause
from gateway.routing.sessions.affinity import SessionLookup
from gateway.routing.strategies.ranking import Ranking
from gateway.store import Store, StoredOutcome

# Labels of a lower weight (truncated, unremarkable, resent, ...) are hints and no measurements.
LEAST_WEIGHT = 0.3
# A start reads at most this many of the newest outcomes, in pages of so many.
_NEWEST = 20_000
_PAGE = 100
# The probability with which an interval ever misses the true mean. Only one of its ends decides, which misses with half of it.
_ALPHA = 0.1
# Before this many labels the mean says too little to detect drift, or to call a model worse than the floor.
_FEW = 20
_ASSUMED = 0.9  # the quality from which the number of missing labels is computed while there are few


class MeasuredQuality(NamedTuple):
    """The mean quality of one model on one pattern, its confidence bounds, and the number of labels since the last drift."""

    mean: float
    low: float
    high: float
    labels: int


class QualityFloorFailure(NamedTuple):
    """A model's mean quality on a pattern that is less than the floor, `least`, allows."""

    model: str
    pattern: str
    quality: float
    least: float


UNMEASURED = MeasuredQuality(_ASSUMED, 0.0, 1.0, 0)


class _Series:
    """The labels of one model on one pattern. Drift starts the sequence again, so that a model is demoted when it becomes worse."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._sequence = ConfidenceSequence(_ALPHA)
        self._drift = CusumDetector()
        self._total = 0.0

    def add(self, quality: float) -> None:
        count = self._sequence.count
        if count >= _FEW:
            mean = self._total / count
            noise = max(NOISE, math.sqrt(mean * (1.0 - mean)))
            self._drift = self._drift.update((quality - mean) / noise, weight=1.0)
            if self._drift.drift_detected:
                self._start()
        self._sequence.add(quality)
        self._total += quality

    def measured(self) -> MeasuredQuality:
        count, (low, high) = self._sequence.count, self._sequence.interval
        return MeasuredQuality(self._total / count, low, high, count)


class QualityEvidence:
    """The labels of the outcomes in a store, by model and pattern. One thread learns; `of` may be called from any other."""

    def __init__(self) -> None:
        self._series: dict[tuple[ModelKey, str], _Series] = {}
        self._measured: Mapping[tuple[ModelKey, str], MeasuredQuality] = {}
        self._learned_to: int | None = None

    def of(self, model: ModelKey, pattern: str) -> MeasuredQuality:
        return self._measured.get((model, pattern), UNMEASURED)

    def below(self, floor: float, *, baseline: ModelKey) -> list[QualityFloorFailure]:
        """The models that have enough labels and are worse than `floor` (0 to 1) times the baseline, by name and pattern."""
        found = []
        for (model, pattern), quality in self._measured.items():
            least = floor * self.of(baseline, pattern).mean
            if model != baseline and quality.labels >= _FEW and quality.mean < least:
                found.append(QualityFloorFailure(model.full_name, pattern, quality.mean, least))
        return sorted(found)

    def refresh(self, store: Store, pause: Pause = no_pause) -> None:
        """Learns the outcomes stored since the last call, at first the newest 20,000. Blocks. Raises what `pause` raises."""
        if self._learned_to is None:
            self._learned_to = max(0, store.newest_outcome() - _NEWEST)
        while page := store.outcomes(after=self._learned_to, limit=_PAGE):
            self._learned_to = page[-1].id
            self.learn(page)
            pause()

    def learn(self, outcomes: Iterable[StoredOutcome]) -> None:
        """Adds the labels among these outcomes, in their order."""
        changed: dict[tuple[ModelKey, str], MeasuredQuality] = {}
        for outcome in outcomes:
            quality = outcome.quality
            if quality is None or not 0.0 <= quality <= 1.0 or outcome.weight < LEAST_WEIGHT:
                continue
            group = ModelKey(outcome.provider, outcome.model), outcome.pattern
            series = self._series.setdefault(group, _Series())
            series.add(quality)
            changed[group] = series.measured()
        if changed:
            self._measured = {**self._measured, **changed}


class QualitySource(Protocol):
    def of(self, model: ModelKey, pattern: str) -> MeasuredQuality: ...


class QualityFloor:
    """`floor` is a share of the baseline's quality, 0 to 1; `seed` decides which conversations are trials."""

    def __init__(self, floor: float, evidence: QualitySource, *, seed: int) -> None:
        self._floor = floor
        self._evidence = evidence
        self._seed = seed

    def apply(self, ranking: Ranking, baseline: ModelKey, *, session: SessionLookup | None) -> Ranking:
        """The ranking, with a proven model or the baseline in front where the choice does not hold the floor. Propensities stay exact.

        Only models that are expected to cost less than the baseline have to prove anything. Where the baseline may not answer
        the request, the model with the highest expected quality stands for it.
        """
        models = ranking.models
        if not ranking.order:
            return ranking
        reference = _reference(ranking, baseline)
        measured = [self._evidence.of(key, ranking.pattern or "") for key in models.columns.keys]
        least = self._floor * measured[reference].high
        unproven = {
            place
            for place in models.places
            if place != reference and models.costs[place] < models.costs[reference] and measured[place].low < least
        }
        proven = [
            place
            for place in models.places
            if place not in unproven and models.costs[place] < models.costs[reference] and not models.cooling[place]
        ]
        fallback = min(proven, key=models.costs.__getitem__, default=reference)
        trials = {place: self._trial_share(measured[place], reference=measured[reference]) for place in unproven}
        return self._decided(ranking, fallback, trials, measured=measured, reference=reference, session=session)

    def _decided(
        self,
        ranking: Ranking,
        fallback: int,
        trials: Mapping[int, float],
        *,
        measured: list[MeasuredQuality],
        reference: int,
        session: SessionLookup | None,
    ) -> Ranking:
        keys = ranking.models.columns.keys
        propensities = _with_trials(ranking.propensities, trials, fallback)
        chosen = ranking.models.columns.index[ranking.chosen]
        decided = ranking
        if chosen in trials:
            problem = self._problem(ranking, chosen, measured=measured, reference=reference)
            if session is not None and session.draw(seed=self._seed, purpose="quality floor") < trials[chosen]:
                decided = ranking._replace(reasoning=f"{problem} This is a trial. {ranking.reasoning}")
            else:
                because = f"{problem} {keys[fallback].full_name} answers."
                decided = ranking.choose(keys[fallback], because=because)
            decided = decided._replace(confidence="low", experimental=True)
            chosen = decided.models.columns.index[decided.chosen]
        propensity = None if ranking.propensity is None else propensities.get(chosen, 0.0)
        return decided._replace(propensities=propensities, propensity=propensity)

    def _trial_share(self, quality: MeasuredQuality, *, reference: MeasuredQuality) -> float:
        """The share of conversations that loses at most half of what the floor leaves, if the quality is the lowest possible."""
        slack = 1.0 - self._floor
        return 0.5 * slack / max(slack, 1.0 - quality.low / reference.high) if slack else 0.0

    def _problem(self, ranking: Ranking, place: int, *, measured: list[MeasuredQuality], reference: int) -> str:
        """Why the model does not hold the floor, for people."""
        quality, base = measured[place], measured[reference]
        name = ranking.models.columns.keys[place].full_name
        least = self._floor * base.mean
        if quality.labels >= _FEW and quality.mean < least:
            return (
                f"Quality floor {self._floor:g}: {name} is demoted for {ranking.pattern}: quality {quality.mean:.2f} "
                f"({quality.low:.2f} to {quality.high:.2f}) against {least:.2f}."
            )
        missing = labels_missing(quality, base, floor=self._floor)
        return f"Quality floor {self._floor:g}: {name} lacks about {missing} labels for {ranking.pattern}."


def labels_missing(quality: MeasuredQuality, baseline: MeasuredQuality, *, floor: float) -> int:
    """About how many labels more, of the model and the baseline together, would prove that the model holds the floor; at least 1.

    From the width of the confidence sequence at the means so far, right to a factor of two where these are the true ones.
    """
    mean = quality.mean if quality.labels >= _FEW else _ASSUMED
    base = baseline.mean if baseline.labels >= _FEW else _ASSUMED
    margin = mean - floor * base
    if margin <= 0.0:
        margin = max(1.0 - floor, 0.001) * base
    share = margin / 2  # each of the two intervals takes half of the margin
    needed = math.ceil(3.0 * math.log(2 / _ALPHA) * mean * (1.0 - mean) / share**2 + 2.0 * math.log(2 / _ALPHA) / share)
    return max(1, needed - quality.labels) + max(0, needed - baseline.labels)


def _reference(ranking: Ranking, baseline: ModelKey) -> int:
    """The place of the baseline, or of the best model where the baseline cannot answer now."""
    models = ranking.models
    place = models.columns.index.get(baseline)
    if place is not None and not models.cooling[place]:
        return place
    qualities = models.estimates.qualities
    return max(models.places, key=lambda each: (not models.cooling[each], qualities[each], -models.costs[each]))


def _with_trials(propensities: Mapping[int, float], trials: Mapping[int, float], fallback: int) -> dict[int, float]:
    """What the strategy gives to unproven models goes to the fallback, except their trials."""
    kept = {place: propensity * trials.get(place, 1.0) for place, propensity in propensities.items()}
    moved = sum(propensities.values()) - sum(kept.values())
    kept[fallback] = kept.get(fallback, 0.0) + moved
    return kept
