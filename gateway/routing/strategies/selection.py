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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import sub

from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.estimates import Estimate
from gateway.routing.prompt.digest import update
from gateway.routing.strategies.ranking import ScoredModel

# The largest share of decisions that explores. A model is explored only if its good case, this many standard deviations above
# its expected quality, reaches the best utility.
EXPLORATION_RATE = 0.02
_GOOD_CASE = 2.0

# The upper-confidence bonus in posterior standard deviations of a tried model.
UCB_COEFFICIENT = 0.375

# From this many outcomes on similar prompts on, the claim of a model is not limited; below, to this share of the gap.
ENOUGH = 5
CLAIM_SHARE = 0.5

# A model with this many outcomes, and at least this quality, is not left for one without outcomes.
SETTLED = 10
PROVEN_QUALITY = 0.85


@dataclass(frozen=True, slots=True)
class Selection:
    """`order` is the failover order, the chosen model first. `best` has the highest utility; an explored choice is another one."""

    order: tuple[ScoredModel, ...]
    best: ScoredModel

    @property
    def chosen(self) -> ScoredModel:
        return self.order[0]

    @property
    def explored(self) -> bool:
        return self.chosen.key != self.best.key


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The standard deviation of a model's expected quality on this request, and an upper bound of it, which is cheaper to compute."""

    of: Callable[[ScoredModel], float]
    most: float


@dataclass(frozen=True, slots=True)
class _Objective:
    """What a choice maximizes on one request.

    `rate` is quality per USD, `exploration_weight` is 0 (none) to 1, `ceiling` the most that a model with few outcomes may claim.
    """

    rate: float
    exploration_weight: float
    ceiling: float
    proven: bool

    def capped_quality(self, estimates: Sequence[Estimate]) -> list[float]:
        """The quality that each model may claim."""
        ceiling = self.ceiling
        return [each.quality if each.quality <= ceiling or each.outcomes >= ENOUGH else ceiling for each in estimates]

    def sort_keys(
        self, models: Sequence[ScoredModel], utilities: Sequence[float]
    ) -> list[tuple[bool, bool, float, float]]:
        """Ascending: cooling models last; a tie goes to the cheaper or better model, then to the catalogue's order."""
        if self.rate == math.inf:
            return [(each.cooling, False, each.cost, -each.estimate.quality) for each in models]
        proven = self.proven
        return [
            (cooling, proven and not estimate.has_outcomes, -utility, cost)
            for (_, estimate, cost, cooling, _), utility in zip(models, utilities, strict=True)
        ]

    def bonuses(
        self, models: Sequence[ScoredModel], utilities: Sequence[float], uncertainty: Uncertainty
    ) -> Mapping[int, float]:
        """Upper-confidence bonuses by index, for tried models that could become the best by it; others would change nothing."""
        scale = UCB_COEFFICIENT * self.exploration_weight
        threshold = max(utilities) - scale * uncertainty.most
        return {
            i: scale * uncertainty.of(each)
            for i, each in enumerate(models)
            if scale and each.estimate.has_outcomes and utilities[i] >= threshold
        }


def select(
    models: Sequence[ScoredModel],
    *,
    cost_rate: CostQualityRate,
    tradeoff: float,
    uncertainty: Uncertainty,
    draw: float,
    explore: bool,
) -> Selection:
    """`draw` is uniform in [0, 1). At either end of the trade-off only cost or only quality counts, and nothing is explored."""
    objective = _objective(models, cost_rate=cost_rate, tradeoff=tradeoff)
    qualities = objective.capped_quality([each.estimate for each in models])
    prices = [objective.rate * each.cost for each in models]
    utilities = list(map(sub, qualities, prices))
    ucb_scores = list(utilities)
    for i, bonus in objective.bonuses(models, utilities, uncertainty).items():
        ucb_scores[i] = min(1.0, qualities[i] + bonus) - prices[i]  # no quality is above 1
    order = sorted(range(len(models)), key=objective.sort_keys(models, ucb_scores).__getitem__)
    best, *others = order
    propensities: Mapping[int, float] = {best: 1.0}
    if explore and objective.exploration_weight > 0 and not models[best].cooling:
        threshold = utilities[best]
        good_cases = ((i, utilities[i] + _GOOD_CASE * models[i].estimate.std) for i in others)
        promising = {i: case for i, case in good_cases if case >= threshold and not models[i].cooling}
        propensities = _propensities(best, promising, share=EXPLORATION_RATE * objective.exploration_weight)
    drawn = _drawn(propensities, draw)
    if drawn != best:
        order.remove(drawn)
        order.insert(0, drawn)
    ordered = [models[i].with_propensity(propensities[i]) if i in propensities else models[i] for i in order]
    return Selection(order=tuple(ordered), best=models[best])


def _objective(models: Sequence[ScoredModel], *, cost_rate: CostQualityRate, tradeoff: float) -> _Objective:
    qualities = [each.estimate.quality for each in models]
    highest_quality = max(qualities)
    price = min([each.cost for each, quality in zip(models, qualities, strict=True) if quality == highest_quality])
    known = [each for each in models if each.estimate.outcomes]
    highest_known = max([each.estimate.quality for each in known], default=1.0)
    best = cost_rate.best
    usual_cost = None if best is None else next((each.cost for each in models if each.model.key == best), None)
    return _Objective(
        rate=cost_rate.rate(tradeoff, price=price, usual=usual_cost),
        exploration_weight=min(1.0, 4 * tradeoff * (1 - tradeoff)),
        ceiling=highest_known + CLAIM_SHARE * (1.0 - highest_known) if known else math.inf,
        proven=any(
            each.estimate.outcomes >= SETTLED and each.estimate.quality >= PROVEN_QUALITY and not each.cooling
            for each in known
        ),
    )


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
