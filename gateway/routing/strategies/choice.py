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

from gateway.routing.learning.exchange import Exchange
from gateway.routing.strategies.candidates import Candidate

# Most decisions that may try another model; never one that is clearly worse: even its good case is below the best.
EXPLORED = 0.02
_GOOD_CASE = 2.0

# So many standard deviations of what a tried model is expected to do are the benefit of the doubt.
_BENEFIT = 0.375

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
class Doubt:
    """The standard deviation of a candidate's expected quality on this request, and the most it can be: the first takes time to tell."""

    of: Callable[[Candidate], float]
    most: float


@dataclass(frozen=True, slots=True)
class _Scales:
    """How candidates compare on one request: USD to quality, openness to the less tried, and the most that these may claim."""

    rate: float
    openness: float
    ceiling: float
    proven: bool

    def worths(self, candidates: Sequence[Candidate]) -> list[float]:
        ceiling, rate = self.ceiling, self.rate
        return [
            (quality if quality <= ceiling or outcomes >= _ENOUGH else ceiling) - rate * cost
            for _, (quality, _, outcomes, *_), cost, *_ in candidates
        ]

    def hope(self, candidate: Candidate, benefit: float) -> float:
        """What it may be worth at best; no quality is above 1."""
        estimate = candidate.estimate
        claimed = estimate.quality if estimate.outcomes >= _ENOUGH else min(estimate.quality, self.ceiling)
        return min(1.0, claimed + benefit) - self.rate * candidate.cost

    def places(self, candidates: Sequence[Candidate], worths: Sequence[float]) -> list[tuple[bool, bool, float, float]]:
        """To sort by, best first; a tie goes to the cheaper or better, then to the catalogue's order."""
        if self.rate == math.inf:
            return [(each.cooling, False, each.cost, -each.estimate.quality) for each in candidates]
        return [
            (cooling, self.proven and not estimate.tried, -worth, cost)
            for (_, estimate, cost, cooling, _), worth in zip(candidates, worths, strict=True)
        ]

    def benefits(self, candidates: Sequence[Candidate], worths: Sequence[float], doubt: Doubt) -> list[float]:
        """Of the doubt, for tried models that could lead with it; the others' would change nothing, so theirs is 0."""
        scale = _BENEFIT * self.openness
        if not scale:
            return [0.0] * len(candidates)
        bar = max(worths) - scale * doubt.most
        return [
            scale * doubt.of(each) if worth >= bar and each.estimate.tried else 0.0
            for each, worth in zip(candidates, worths, strict=True)
        ]


def rank(
    candidates: Sequence[Candidate],
    *,
    exchange: Exchange,
    tradeoff: float,
    doubt: Doubt,
    draw: float,
    explore: bool,
) -> Ranked:
    """`draw` is uniform in [0, 1). At either end of the trade-off only price or only quality counts, and nothing is explored."""
    scales = _scales(candidates, exchange=exchange, tradeoff=tradeoff)
    worths = scales.worths(candidates)
    hopes = [
        scales.hope(each, benefit) if benefit else worth
        for each, worth, benefit in zip(candidates, worths, scales.benefits(candidates, worths, doubt), strict=True)
    ]
    order = sorted(range(len(candidates)), key=scales.places(candidates, hopes).__getitem__)
    best, *others = order
    chances: Mapping[int, float] = {best: 1.0}
    if explore and scales.openness > 0 and not candidates[best].cooling:
        bar = worths[best]
        good_cases = ((i, worths[i] + _GOOD_CASE * candidates[i].estimate.spread) for i in others)
        hopeful = {i: case for i, case in good_cases if case >= bar and not candidates[i].cooling}
        chances = _chances(best, hopeful, share=EXPLORED * scales.openness)
    drawn = _drawn(chances, draw)
    if drawn != best:
        order.remove(drawn)
        order.insert(0, drawn)
    ordered = [candidates[i].drawn_at(chances[i]) if i in chances else candidates[i] for i in order]
    return Ranked(order=tuple(ordered), best=candidates[best])


def _scales(candidates: Sequence[Candidate], *, exchange: Exchange, tradeoff: float) -> _Scales:
    highest_quality = max([each.estimate.quality for each in candidates])
    price = min([each.cost for each in candidates if each.estimate.quality == highest_quality])
    known = [each for each in candidates if each.estimate.outcomes]
    highest = max([each.estimate.quality for each in known], default=1.0)
    usual = next((each.cost for each in candidates if each.key == exchange.best), None)
    return _Scales(
        rate=exchange.rate(tradeoff, price=price, usual=usual),
        openness=min(1.0, 4 * tradeoff * (1 - tradeoff)),
        ceiling=highest + _BELIEVED * (1.0 - highest) if known else math.inf,
        proven=any(
            each.estimate.outcomes >= _SETTLED and each.estimate.quality >= _PROVEN_QUALITY and not each.cooling
            for each in known
        ),
    )


def _chances(best: int, others: Mapping[int, float], *, share: float) -> Mapping[int, float]:
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
