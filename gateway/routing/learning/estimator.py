"""Learns what to expect of each model from outcomes, one at a time.

Quality is linear in the request's features, for each model its own weights: a Bayesian regression whose prior mean is the
tier's quality plus weights that all models share (what is hard or easy for any of them). A model without outcomes
is thus expected to do as its tier does on such a prompt; a few outcomes of others hardly move that. Tokens and cost are means by pattern, likewise shrunk.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.catalog import TIERS, Catalog, Model
from gateway.routing.learning.estimates import (
    NOTHING_SHARED,
    OWN_PRECISION,
    PRIORS,
    SHARED_PRECISION,
    Estimates,
    Key,
    prior_mean,
)
from gateway.routing.learning.exchange import Exchange, exchange_of
from gateway.routing.learning.likeness import ANY_MODEL, NOTHING, Group, Tally, group_of
from gateway.routing.learning.regression import Posterior, dot, prior
from gateway.routing.learning.usage import UsageLedger
from gateway.routing.models import Outcome, PromptFacts
from gateway.routing.prompt.features import vector_of

# Recent requests on which the exchange rate is found, and how often it is found anew.
_RECENT = 128
_EVERY = 16
_GOOD_CASE = 2.0

# So many outcomes count as much as the tiers' priors where models are judged by what others' outcomes have in common.
_SHARED_COUNT = 20.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """One outcome with what was known of its request. `weight`, 0 to 1, is how much its quality counts."""

    model: Key
    pattern: str
    complexity: float
    features: Mapping[str, float]
    outcome: Outcome
    weight: float = 1.0


class Estimator:
    """Not thread-safe: one thread learns; the Estimates it publishes are for all."""

    def __init__(self, catalog: Catalog) -> None:
        self._models = {(model.provider, model.name): model for model in catalog}
        self._usual = [next((model for model in catalog if model.tier == tier), None) for tier in TIERS]
        self._shared = prior(SHARED_PRECISION)
        self._own: dict[Key, Posterior] = {}
        self._tallies: dict[Group, Tally] = {}
        self._usage = UsageLedger()
        self._recent: deque[PromptFacts] = deque(maxlen=_RECENT)
        self._exchange = Exchange()
        self._learned = 0
        self._judged = 0.0

    def learn(self, lessons: Sequence[Lesson]) -> Estimates:
        """What is known after these too, however they are divided into calls. Models that the catalogue does not list teach nothing."""
        last_turn = (self._learned + len(lessons)) // _EVERY * _EVERY
        for lesson in lessons:
            self._learned += 1
            model = self._models.get(lesson.model)
            if model is not None:
                self._learn(model, lesson)
            if self._learned == last_turn:
                self._exchange = self._found(self._published())
        return self._published()

    def _learn(self, model: Model, lesson: Lesson) -> None:
        tokens = lesson.features.get("tokens", 0.0)
        facts = PromptFacts(
            prompt="",
            pattern=lesson.pattern,
            complexity=lesson.complexity,
            tokens=int(tokens) if math.isfinite(tokens) else 0,
            features={},
            vector=vector_of(lesson.pattern, lesson.features),
        )
        self._usage.learn(model, lesson.outcome, pattern=lesson.pattern, tokens=facts.tokens)
        self._recent.append(facts)
        quality = lesson.outcome.quality
        if quality is not None:
            self._learn_quality(model, facts, quality=quality, weight=lesson.weight)

    def _learn_quality(self, model: Model, facts: PromptFacts, *, quality: float, weight: float) -> None:
        key = (model.provider, model.name)
        surprise = quality - dot(facts.vector, PRIORS[model.tier])
        self._shared = self._shared.learned(facts.vector, surprise, weight=weight)
        self._judged += weight
        own = self._own.get(key) or prior(OWN_PRECISION)
        self._own[key] = own.learned(facts.vector, quality, weight=weight)
        for counted in (key, ANY_MODEL):
            group = group_of(counted, pattern=facts.pattern, complexity=facts.complexity)
            self._tallies[group] = self._tallies.get(group, NOTHING).plus(quality, weight=weight)

    def _published(self) -> Estimates:
        trust = self._judged / (self._judged + _SHARED_COUNT)
        shared = tuple([trust * weight for weight in self._shared.mean(NOTHING_SHARED, SHARED_PRECISION)])
        tiers = {tier: prior_mean(tier, shared) for tier in TIERS}
        return Estimates(
            tiers=tiers,
            means={key: own.mean(tiers[self._models[key].tier], OWN_PRECISION) for key, own in self._own.items()},
            posteriors=dict(self._own),
            usage=self._usage.book(),
            tallies=dict(self._tallies),
            exchange=self._exchange,
            learned=self._learned,
        )

    def _found(self, estimates: Estimates) -> Exchange:
        models = [model for key, model in self._models.items() if key in self._own or model in self._usual]
        rows = [list(map(estimates.on(facts), models)) for facts in self._recent]
        # The best as far as can be hoped: else a poor start of the best would make the whole span look short.
        hopes = [sum(each.quality + _GOOD_CASE * each.spread for each in column) for column in zip(*rows, strict=True)]
        sample = [[(each.quality, each.cost) for each in row] for row in rows]
        return exchange_of(sample, best=hopes.index(max(hopes)) if hopes else 0)
