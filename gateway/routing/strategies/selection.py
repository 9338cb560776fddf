"""Chooses one of the eligible models at a point of the cost-quality trade-off, and explores.

The model with the highest utility `quality - rate * cost` is chosen, with three corrections for uncertainty:

- A model with outcomes gets an upper-confidence bonus (UCB), so that a few bad outcomes at the start do not exclude it
permanently.
- A model with fewer than 5 outcomes on similar prompts may claim at most half of the gap between the best tried model and 1.0:
  the tier's prior does not count above that.
- Where outcomes prove a model good, a model without any outcome does not replace it. Untried models get their outcomes from
  exploration: a small share of decisions, drawn with exactly known probabilities (propensities).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from operator import neg, sub

from gateway.catalog.catalog import ModelKey
from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.estimates import EstimateColumns
from gateway.routing.prompt.digest import update
from gateway.routing.strategies.scored_models import ScoredModels

# The largest share of decisions that explores. A model is explored only if its good case, this many standard deviations above
# its expected quality, reaches the best utility.
EXPLORATION_RATE = 0.02
_GOOD_CASE = 2.0

# The upper-confidence bonus in posterior standard deviations of a tried model.
UCB_COEFFICIENT = 0.375

# From this many outcomes on similar prompts on, the claim of a model is not limited; below, to this share of the gap.
ENOUGH = 5
CLAIM_SHARE = 0.5

# Models are near-equal if their utilities differ by at most this, and by at most a quarter of the difference's standard deviation.
_NEAR_EQUAL = 0.025
_NEAR_STDS = 0.25
# Near-equals are explored at the best-quality end too, while they have fewer outcomes on similar prompts than this.
_FEW = 30

# A model with this many outcomes, and at least this quality, is not left for one without outcomes.
SETTLED = 10
PROVEN_QUALITY = 0.85


@dataclass(frozen=True, slots=True)
class Selection:
    """`order` has the places of the models in failover order, the chosen one first. `best` has the highest utility; an explored choice is another one.

    `scores` are the utilities by place with their bonuses, at `rate` quality per USD.
    """

    order: Sequence[int]
    best: int
    propensities: Mapping[int, float]
    scores: Sequence[float] = ()
    rate: float = math.inf

    @property
    def chosen(self) -> int:
        return self.order[0]

    @property
    def explored(self) -> bool:
        return self.chosen != self.best


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The standard deviation of a model's expected quality on this request, and an upper bound of it, which is cheaper to compute."""

    of: Callable[[ModelKey], float]
    most: Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Objective:
    """What a choice maximizes on one request.

    `rate` is quality per USD, `exploration_weight` is 0 (none) to 1, `ceiling` the most that a model with few outcomes may claim.
    """

    rate: float
    exploration_weight: float
    ceiling: float
    proven: bool

    def capped_quality(self, estimates: EstimateColumns) -> list[float]:
        """The quality that each model may claim."""
        ceiling, (qualities, evidence) = self.ceiling, estimates
        return [
            quality if quality <= ceiling or outcomes >= ENOUGH else ceiling
            for quality, outcomes in zip(qualities, evidence.outcomes, strict=True)
        ]

    def order(self, models: ScoredModels, utilities: Sequence[float]) -> list[int]:
        """The places: cooling models last; a tie goes to the cheaper or better model, then to the catalogue's order."""
        (qualities, evidence), costs, cooling = models.estimates, models.costs, models.cooling
        if self.rate == math.inf:
            return _ascending(cooling, costs, map(neg, qualities))
        if self.proven:
            groups = [2 * cools + (not tried) for cools, tried in zip(cooling, evidence.has_outcomes, strict=True)]
            return _ascending(groups, map(neg, utilities), costs)
        return _ascending(cooling, map(neg, utilities), costs)

    def bonuses(
        self, models: ScoredModels, utilities: Sequence[float], uncertainty: Uncertainty
    ) -> Iterator[tuple[int, float]]:
        """Upper-confidence bonuses by place, for tried models that could become the best by it; others would change nothing."""
        scale = UCB_COEFFICIENT * self.exploration_weight
        tried = models.estimates.evidence.tried
        if scale and tried:
            threshold = max(utilities) - scale * uncertainty.most()
            for place in tried:
                if utilities[place] >= threshold:
                    yield place, scale * uncertainty.of(models.columns.keys[place])


def _ascending(*columns: Iterable[float]) -> list[int]:
    """The places in the order of the first column, ties by the next ones."""
    return [row[-1] for row in sorted(zip(*columns, count(), strict=False))]


def select(
    models: ScoredModels,
    *,
    cost_rate: CostQualityRate,
    tradeoff: float,
    uncertainty: Uncertainty,
    draw: float,
    explore: bool,
    limit: float = math.inf,
) -> Selection:
    """`draw` is uniform in [0, 1). A model with an expected cost (USD) above `limit` is chosen only where no other can be.

    At the cheapest end nothing is explored, at the best one only near-equals with few outcomes.
    """
    objective = _objective(models, cost_rate=cost_rate, tradeoff=tradeoff)
    qualities = objective.capped_quality(models.estimates)
    prices = [objective.rate * cost for cost in models.costs]
    utilities = list(map(sub, qualities, prices))
    ucb_scores = list(utilities)
    for place, bonus in objective.bonuses(models, utilities, uncertainty):
        ucb_scores[place] = min(1.0, qualities[place] + bonus) - prices[place]  # no quality is above 1
    order = objective.order(models, ucb_scores)
    if limit < math.inf:
        order = _affordable_first(models, order, limit)
    if objective.rate < math.inf:
        _move_to_front(order, _cheapest_equal(models, order, ucb_scores, proven=objective.proven))
    best = order[0]
    propensities: Mapping[int, float] = {best: 1.0}
    if explore and tradeoff > 0 and not models.cooling[best]:
        promising = _promising(models, order, utilities, weight=objective.exploration_weight, limit=limit)
        propensities = _propensities(best, promising, share=EXPLORATION_RATE * (objective.exploration_weight or 1.0))
    drawn = _drawn(propensities, draw)
    _move_to_front(order, drawn)
    return Selection(order, best, propensities, ucb_scores, objective.rate)


def _promising(
    models: ScoredModels, order: Sequence[int], utilities: Sequence[float], *, weight: float, limit: float
) -> dict[int, float]:
    """The models worth exploring, with their good cases; without `weight` only near-equals of which little is known."""
    (_, evidence), costs, cooling = models.estimates, models.costs, models.cooling
    stds, outcomes, best = evidence.stds, evidence.outcomes, utilities[order[0]]
    least = best if weight else best - _NEAR_EQUAL
    most, few = (_GOOD_CASE, math.inf) if weight else (0.0, _FEW)
    return {
        place: good_case
        for place in order[1:]
        if (good_case := utilities[place] + most * stds[place]) >= least
        and not cooling[place]
        and costs[place] <= limit
        and outcomes[place] < few
    }


def _affordable_first(models: ScoredModels, order: Sequence[int], limit: float) -> list[int]:
    """Models above the limit come after those within it; cooling ones stay last."""
    costs, cooling = models.costs, models.cooling
    within = [place for place in order if not cooling[place] and costs[place] <= limit]
    above = [place for place in order if not cooling[place] and costs[place] > limit]
    return within + above + [place for place in order if cooling[place]]


def _move_to_front(order: list[int], place: int) -> None:
    if order[0] != place:
        order.remove(place)
        order.insert(0, place)


def _objective(models: ScoredModels, *, cost_rate: CostQualityRate, tradeoff: float) -> _Objective:
    columns, (qualities, evidence), costs, cooling = models
    outcomes, highest_quality = evidence.outcomes, max(qualities)
    highest = min([cost for cost, quality in zip(costs, qualities, strict=True) if quality == highest_quality])
    known = [place for place in evidence.tried if outcomes[place]]
    highest_known = max([qualities[place] for place in known], default=1.0)
    settled = [place for place in known if outcomes[place] >= SETTLED and not cooling[place]]
    anchor = None if cost_rate.anchor is None else columns.index.get(cost_rate.anchor)
    return _Objective(
        rate=cost_rate.rate(
            tradeoff,
            price=min([costs[place] for place in columns.strongest]),
            highest=highest,
            usual=None if anchor is None else costs[anchor],
        ),
        exploration_weight=min(1.0, 4 * tradeoff * (1 - tradeoff)),
        ceiling=highest_known + CLAIM_SHARE * (1.0 - highest_known) if known else math.inf,
        proven=max([qualities[place] for place in settled], default=0.0) >= PROVEN_QUALITY,
    )


def _cheapest_equal(models: ScoredModels, order: Sequence[int], utilities: Sequence[float], *, proven: bool) -> int:
    """The cheapest of the models that are hardly told apart from the first of `order`; a proven one is not left for an untried one.

    Both need a public strength: tiers say too little for a tie.
    """
    costs, cooling, evidence = models.costs, models.cooling, models.estimates.evidence
    stds, tried = evidence.stds, evidence.has_outcomes
    comparable = models.columns.has_strength
    first = cheapest = order[0]
    if not comparable[first]:
        return first
    best, cools, variance = utilities[first], cooling[first], stds[first] ** 2
    for place in order:
        gap = best - utilities[place]
        if (
            costs[place] < costs[cheapest]
            and comparable[place]
            and gap <= _NEAR_EQUAL
            and gap * gap <= _NEAR_STDS**2 * (variance + stds[place] ** 2)
            and cooling[place] == cools
            and (tried[place] or not proven)
        ):
            cheapest = place
    return cheapest


def _propensities(best: int, others: Mapping[int, float], *, share: float) -> Mapping[int, float]:
    """By index, the best first. Half of `share` goes to the most promising of `others` (their good cases), half to all of them equally."""
    if not others:
        return {best: 1.0}
    propensities = {best: 1.0 - share} | dict.fromkeys(others, share / 2 / len(others))
    propensities[max(others, key=others.__getitem__)] += share / 2
    return propensities


def _drawn(propensities: Mapping[int, float], draw: float) -> int:
    """The first index whose cumulative propensity exceeds `draw`; what rounding leaves over goes to the first index."""
    total = 0.0
    for index, propensity in propensities.items():
        total += propensity
        if draw < total:
            return index
    return next(iter(propensities))


def draw_of(prompt: str, *, seed: int, learned: int) -> float:
    """A uniform number in [0, 1), the same for the same seed, state and prompt, so that a decision can be repeated."""
    digest = blake2b(digest_size=8)
    update(digest, f"{seed}|{learned}|{len(prompt)}|{prompt[:2048]}|{prompt[-2048:]}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "big") / 2.0**64
