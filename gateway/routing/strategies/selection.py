"""Which of the able candidates to take at a point of the trade-off, and with what chance a less tried one.

The candidate with the highest `quality - rate * cost` is taken, with three corrections for what is not known. A model that
was tried gets some benefit of the doubt, so that an unlucky start is not for ever. One that was hardly tried on such
prompts is not believed to mend more than half of what a tried one lacks: its tier's reputation does not count above that.
And where outcomes show a model to do well, it is not left for one that was never tried on anything: those have
the explored share of decisions, drawn with exactly known chances, to show what they can do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import sub

from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.estimates import Estimate
from gateway.routing.strategies.candidates import Candidate

# Most decisions that may try another model; never one that is clearly worse: even its good case is below the best.
EXPLORATION_RATE = 0.02
_GOOD_CASE = 2.0

# So many standard deviations of what a tried model is expected to do are the benefit of the doubt.
UCB_COEFFICIENT = 0.375

# From so many outcomes of like prompts on a model's reputation no longer matters.
_ENOUGH = 5
_BELIEVED = 0.5

# With so many, of at least this quality, it is not left for one never tried.
_SETTLED = 10
_PROVEN_QUALITY = 0.85


@dataclass(frozen=True, slots=True)
class Ranked:
    """`order` is that of failover, the chosen one first. `explored` says it was drawn although `best` is expected to do better."""

    order: tuple[Candidate, ...]
    best: Candidate

    @property
    def chosen(self) -> Candidate:
        return self.order[0]

    @property
    def explored(self) -> bool:
        return self.chosen.key != self.best.key


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The standard deviation of a candidate's expected quality on this request, and the most it can be: the first takes time to tell."""

    of: Callable[[Candidate], float]
    most: float


@dataclass(frozen=True, slots=True)
class _Objective:
    """How candidates compare on one request: USD to quality, openness to the less tried, and the most that these may claim."""

    rate: float
    exploration_weight: float
    ceiling: float
    proven: bool

    def capped_quality(self, estimates: Sequence[Estimate]) -> list[float]:
        """The quality that each may claim."""
        ceiling = self.ceiling
        return [each.quality if each.quality <= ceiling or each.outcomes >= _ENOUGH else ceiling for each in estimates]

    def places(self, candidates: Sequence[Candidate], worths: Sequence[float]) -> list[tuple[bool, bool, float, float]]:
        """To sort by, best first; a tie goes to the cheaper or better, then to the catalogue's order."""
        if self.rate == math.inf:
            return [(each.cooling, False, each.cost, -each.estimate.quality) for each in candidates]
        proven = self.proven
        return [
            (cooling, proven and not estimate.has_outcomes, -worth, cost)
            for (_, estimate, cost, cooling, _), worth in zip(candidates, worths, strict=True)
        ]

    def benefits(
        self, candidates: Sequence[Candidate], worths: Sequence[float], uncertainty: Uncertainty
    ) -> Mapping[int, float]:
        """Of the doubt, by the places of tried models that could lead with it; the others' would change nothing."""
        scale = UCB_COEFFICIENT * self.exploration_weight
        bar = max(worths) - scale * uncertainty.most
        return {
            i: scale * uncertainty.of(each)
            for i, each in enumerate(candidates)
            if scale and each.estimate.has_outcomes and worths[i] >= bar
        }


def rank(
    candidates: Sequence[Candidate],
    *,
    cost_rate: CostQualityRate,
    tradeoff: float,
    uncertainty: Uncertainty,
    draw: float,
    explore: bool,
) -> Ranked:
    """`draw` is uniform in [0, 1). At either end of the trade-off only price or only quality counts, and nothing is explored."""
    objective = _objective(candidates, cost_rate=cost_rate, tradeoff=tradeoff)
    claims, prices = (
        objective.capped_quality([each.estimate for each in candidates]),
        [objective.rate * each.cost for each in candidates],
    )
    worths = list(map(sub, claims, prices))
    hopes = list(worths)
    for i, benefit in objective.benefits(candidates, worths, uncertainty).items():
        hopes[i] = min(1.0, claims[i] + benefit) - prices[i]  # no quality is above 1
    order = sorted(range(len(candidates)), key=objective.places(candidates, hopes).__getitem__)
    best, *others = order
    chances: Mapping[int, float] = {best: 1.0}
    if explore and objective.exploration_weight > 0 and not candidates[best].cooling:
        bar = worths[best]
        good_cases = ((i, worths[i] + _GOOD_CASE * candidates[i].estimate.std) for i in others)
        hopeful = {i: case for i, case in good_cases if case >= bar and not candidates[i].cooling}
        chances = _propensities(best, hopeful, share=EXPLORATION_RATE * objective.exploration_weight)
    drawn = _drawn(chances, draw)
    if drawn != best:
        order.remove(drawn)
        order.insert(0, drawn)
    ordered = [candidates[i].with_propensity(chances[i]) if i in chances else candidates[i] for i in order]
    return Ranked(order=tuple(ordered), best=candidates[best])


def _objective(candidates: Sequence[Candidate], *, cost_rate: CostQualityRate, tradeoff: float) -> _Objective:
    qualities = [each.estimate.quality for each in candidates]
    highest_quality = max(qualities)
    price = min([each.cost for each, quality in zip(candidates, qualities, strict=True) if quality == highest_quality])
    known = [each for each in candidates if each.estimate.outcomes]
    highest = max([each.estimate.quality for each in known], default=1.0)
    best = cost_rate.best
    usual = None if best is None else next((each.cost for each in candidates if each.model.key == best), None)
    return _Objective(
        rate=cost_rate.rate(tradeoff, price=price, usual=usual),
        exploration_weight=min(1.0, 4 * tradeoff * (1 - tradeoff)),
        ceiling=highest + _BELIEVED * (1.0 - highest) if known else math.inf,
        proven=any(
            each.estimate.outcomes >= _SETTLED and each.estimate.quality >= _PROVEN_QUALITY and not each.cooling
            for each in known
        ),
    )


def _propensities(best: int, others: Mapping[int, float], *, share: float) -> Mapping[int, float]:
    """The best first; half of the share goes to the most promising of the others, half to all of them alike. `others` has their good cases."""
    if not others:
        return {best: 1.0}
    chances = {best: 1.0 - share} | dict.fromkeys(others, share / 2 / len(others))
    chances[max(others, key=others.__getitem__)] += share / 2
    return chances


def _drawn(chances: Mapping[int, float], draw: float) -> int:
    """The first candidate up to which the chances add up to more than `draw`; rounding leaves the rest to the first."""
    total = 0.0
    for each, chance in chances.items():
        total += chance
        if draw < total:
            return each
    return next(iter(chances))


def draw_of(prompt: str, *, seed: int, learned: int) -> float:
    """A uniform number in [0, 1), the same for the same seed, state and prompt, so that a decision can be repeated."""
    key = f"{seed}|{learned}|{len(prompt)}|{prompt[:2048]}|{prompt[-2048:]}"
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
