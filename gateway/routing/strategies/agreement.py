"""Plans by agreement: two cheap models are asked at once, and a better one where their answers differ.

What a plan is worth is what its escalation's answer is worth, since an answer on which two models agree is as often right as the
escalation's (`estimation.agreement`). It costs both calls, and the escalation's with the probability that they differ. So a plan is
compared with single calls by the same utility, quality minus rate times cost: where one cheap model is good enough it is asked alone,
and where the two probably differ the better one is asked at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any, NamedTuple

from gateway.catalog.catalog import Model, ModelKey
from gateway.routing.estimation.agreement import family_of
from gateway.routing.estimation.estimates import EstimateColumns
from gateway.routing.strategies.scored_models import ScoredModels

# The number of models that may be asked first, the cheapest, and of those that may be the escalation, the best.
_MOST = 8
CALLS = 3  # the most calls of a plan
# Of pairs that cost nearly the same, the less known one is asked: each agreement counts as if it were so many standard deviations more
# probable. All of them give good answers, so trying one costs little.
_HOPE = 1.0
# The share of what is expected of a model on this prompt, beyond its usual lead, that counts. With pairs to choose from, small differences of
# two qualities decide, and estimates of them are mostly noise: on 2,840 prompts with all outcomes known (five-fold) 1, 0.7, 0.5, 0.3, 0.1
# and 0 save 59, 60, 64, 66, 66 and 65 % at 99 % of the quality.
_KEPT = 0.3


class AgreementPlan(NamedTuple):
    """`first` and `partner` are asked at once; the answer of `first` is kept where they agree, `escalation` is asked where not.

    `quality` (0 to 1) and `cost` (USD) are expected ones of the whole plan, `agreement` is the probability that they agree.
    """

    first: ModelKey
    partner: ModelKey
    escalation: ModelKey
    quality: float
    cost: float
    agreement: float

    @property
    def sentence(self) -> str:
        """The plan for people."""
        return (
            f"{self.first.full_name} and {self.partner.full_name} are asked at once, {self.escalation.full_name} where they "
            f"differ (probability {1.0 - self.agreement:.2f})."
        )

    def as_metadata(self) -> dict[str, Any]:
        """The plan as JSON: `metadata["cascade"]` of a decision."""
        return {
            "kind": "agree",
            "first": _named(self.first),
            "with": [_named(self.partner)],
            "escalate": _named(self.escalation),
            "agreement": round(self.agreement, 4),
        }


def _named(key: ModelKey) -> dict[str, str]:
    return {"provider": key.provider, "model": key.name}


def with_shrunk_differences(models: ScoredModels, typical: Sequence[float] | None) -> ScoredModels:
    """The models with their differences in quality on this request shrunk to those on a typical one (`typical`, None: not known)."""
    if typical is None:
        return models
    qualities, evidence = models.estimates
    level, usual = fmean(qualities), fmean(typical)
    shrunk = [
        min(1.0, max(0.0, level + _KEPT * (quality - level) + (1.0 - _KEPT) * (mean - usual)))
        for quality, mean in zip(qualities, typical, strict=True)
    ]
    return models._replace(estimates=EstimateColumns(shrunk, evidence))


class _Pair(NamedTuple):
    first: int
    partner: int
    cost: float
    agreement: float
    hoped: float
    price: float


def best_plan(
    models: ScoredModels,
    scores: Sequence[float],
    *,
    rate: float,
    agreement: Callable[[Model, Model], tuple[float, float]],
    least: float,
    limit: float = math.inf,
) -> AgreementPlan | None:
    """The plan with the highest utility, the cheaper one of two equals; None where none is better than one call.

    `scores` are the utilities of single calls, `least` is that of the best of them; `rate` is quality per USD. No plan has an expected
    cost (USD) above `limit`.
    """
    if rate == math.inf:
        return None
    index = models.columns.index
    pairs = list(_pairs(models, agreement))
    plans = [
        plan
        for escalation in _escalations(models, scores, rate)
        if (plan := _cheapest(models, pairs, escalation, limit=limit)) is not None
    ]
    worth = {
        plan: scores[index[plan.escalation]] + rate * (models.costs[index[plan.escalation]] - plan.cost)
        for plan in plans
    }
    best = min(plans, key=lambda plan: (-worth[plan], plan.cost), default=None)
    return None if best is None or worth[best] < least else best


def _cheapest(models: ScoredModels, pairs: Sequence[_Pair], escalation: int, *, limit: float) -> AgreementPlan | None:
    """The plan for this escalation whose pair costs least in the good case; None where each is expected to cost as much as the escalation."""
    alone, keys = models.costs[escalation], models.columns.keys
    others = [pair for pair in pairs if escalation not in (pair.first, pair.partner)]
    price = _price(models.columns.models[escalation])
    pair = min(others, key=lambda each: each.price + (1.0 - each.hoped) * price, default=None)
    if pair is None or (cost := pair.cost + (1.0 - pair.agreement) * alone) >= alone or cost > limit:
        return None
    quality = models.estimates.qualities[escalation]
    return AgreementPlan(keys[pair.first], keys[pair.partner], keys[escalation], quality, cost, pair.agreement)


def _pairs(models: ScoredModels, agreement: Callable[[Model, Model], tuple[float, float]]) -> Iterator[_Pair]:
    """Pairs of different families among the cheapest models that are not cooling down, the better of the two first."""
    costs, columns, qualities = models.costs, models.columns, models.estimates.qualities
    asked = sorted((place for place in models.places if not models.cooling[place]), key=costs.__getitem__)[:_MOST]
    for one, other in combinations(asked, 2):
        if family_of(columns.keys[one]) == family_of(columns.keys[other]):
            continue
        first, partner = (one, other) if qualities[one] >= qualities[other] else (other, one)
        expected, std = agreement(columns.models[one], columns.models[other])
        yield _Pair(
            first,
            partner,
            costs[one] + costs[other],
            expected,
            hoped=expected + _HOPE * std,
            price=_price(columns.models[one]) + _price(columns.models[other]),
        )


def _escalations(models: ScoredModels, scores: Sequence[float], rate: float) -> list[int]:
    """The places of the models that are expected to be best, at any price."""
    able = [place for place in models.places if not models.cooling[place]]
    return sorted(able, key=lambda place: -scores[place] - rate * models.costs[place])[:_MOST]


def _price(model: Model) -> float:
    """USD per million tokens, three of the prompt for one of the answer.

    Pairs are compared by it, and not by what this request costs: a pair that is asked on some kinds of prompts only would be known by
    those alone.
    """
    return (3.0 * model.input_price + model.output_price) / 4.0
