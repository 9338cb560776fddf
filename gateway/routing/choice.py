"""Which of the able candidates to take at a point of the trade-off, and with what chance a less tried one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from gateway.routing.candidates import Candidate
from gateway.routing.exchange import Exchange

# This share of decisions tries another model, unless it is known to be clearly worse: even its good case is below the best.
EXPLORED = 0.02
_GOOD_CASE = 2.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """`chosen` first among `order`, the order of failover. `explored` says that it was drawn although another is expected to do better."""

    chosen: Candidate
    order: tuple[Candidate, ...]
    explored: bool


def rank(candidates: Sequence[Candidate], *, exchange: Exchange, tradeoff: float, draw: float, explore: bool) -> Ranked:
    """`draw` is uniform in [0, 1). At either end of the trade-off there is nothing to explore: only price or only quality counts."""
    strongest = min(candidates, key=lambda each: (-each.estimate.score, each.estimate.cost))
    rate = exchange.rate(tradeoff, price=strongest.estimate.cost)
    openness = min(1.0, 4 * tradeoff * (1 - tradeoff))
    ordered = sorted(candidates, key=lambda each: (each.cooling, *_worth(each, rate=rate, openness=openness)))
    best = ordered[0]
    others = [each for each in ordered[1:] if _may_be_better(each, best, rate=rate)] if explore and openness > 0 else []
    share = EXPLORED * openness if others else 0.0
    chosen = best if draw >= share else others[min(len(others) - 1, int(draw / share * len(others)))]
    drawn = {each.key: share / len(others) for each in others} | {best.key: 1.0 - share}
    told = [replace(each, propensity=drawn.get(each.key, 0.0)) for each in ordered]
    first = next(each for each in told if each.key == chosen.key)
    return Ranked(
        chosen=first,
        order=(first, *(each for each in told if each is not first)),
        explored=chosen is not best,
    )


def _worth(candidate: Candidate, *, rate: float, openness: float) -> tuple[float, float]:
    """To sort by, best first; a tie goes to the cheaper or better, then to the catalogue's order."""
    estimate = candidate.estimate
    if math.isinf(rate):
        return estimate.cost, -estimate.score
    hoped = estimate.score + openness * estimate.hope
    return rate * estimate.cost - hoped, estimate.cost


def _may_be_better(candidate: Candidate, best: Candidate, *, rate: float) -> bool:
    if candidate.cooling or best.cooling:
        return False
    mine, its = candidate.estimate, best.estimate
    return mine.score + _GOOD_CASE * mine.spread - rate * mine.cost >= its.score - rate * its.cost


def draw_of(prompt: str, *, seed: int, learned: int) -> float:
    """A uniform number in [0, 1) that is the same for the same seed, state and prompt, so that a decision can be repeated."""
    key = f"{seed}|{learned}|{len(prompt)}|{prompt[:2048]}|{prompt[-2048:]}"
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
