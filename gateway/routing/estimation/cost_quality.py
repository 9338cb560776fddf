"""The exchange rate between quality and money at each point of the trade-off.

A request goes to the model with the highest `quality - rate * cost`: one rate for all requests is what buys the most
quality for a sum of money. Which rate? The trade-off is read as a share: at 0.3, about 30 % of what lies between always
the cheapest and always the best model is spent, on the requests where it buys most. So the rate is found on a sample of
recent requests. Three corrections: with few requests it leans to a fixed rule; a gain too small for its price is not bought
even where the share would allow it; and a request's price counts in part as if it were the usual one. Expected gains are guesses, and a short
request is not the better buy merely because any mistake on it is cheap; a very long one still costs nearly its price.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.routing.estimation.examples import Key

# Rates on trial, in quality per price of the best model: from "a quality of 0.001 is worth its price" upwards.
_GRID: tuple[float, ...] = tuple(0.001 * 1.5**i for i in range(24))
# So many requests' worth of weight has the fixed rule.
_RULE_WEIGHT = 32
_RULE = 0.15
_LEAST = 0.08
# So much of a request's cost counts by its own size, the rest by the usual size.
_OWN_SIZE = 0.25

Option = tuple[float, float]  # (quality, cost)


@dataclass(frozen=True, slots=True)
class CostQualityRate:
    """`shares` are the shares of the span that the rates on trial spend, falling; `price` is the mean cost (USD) of the model that is `best`."""

    shares: tuple[float, ...] = ()
    price: float = 0.0
    requests: int = 0
    best: Key | None = None

    def rate(self, tradeoff: float, *, price: float, usual: float | None = None) -> float:
        """Quality per USD. `price` stands for the best model's cost while no requests are known; `usual` is that of `best` on this request."""
        if tradeoff <= 0:
            return math.inf
        if tradeoff >= 1:
            return 0.0
        odds = (1 - tradeoff) / tradeoff
        rule = _RULE * odds
        if not self.shares:
            return rule / price if price > 0 else 0.0
        weight = self.requests / (self.requests + _RULE_WEIGHT)
        mixed = math.exp(weight * math.log(self._found(tradeoff)) + (1 - weight) * math.log(rule))
        return max(mixed, _LEAST * odds) / self.price * (_size_weight(usual / self.price) if usual else 1.0)

    def _found(self, tradeoff: float) -> float:
        """Where the falling shares pass the trade-off, between two rates on trial."""
        place = bisect_left([-share for share in self.shares], -tradeoff)
        if place == 0:
            return _GRID[0]
        if place == len(_GRID):
            return _GRID[-1]
        above, below = self.shares[place - 1], self.shares[place]
        low, high = math.log(_GRID[place - 1]), math.log(_GRID[place])
        return math.exp(low + (high - low) * (above - tradeoff) / (above - below))


def _size_weight(size: float) -> float:
    """What a request's cost is multiplied by; `size` is the request's, 1 the usual one."""
    return _OWN_SIZE + (1.0 - _OWN_SIZE) / size


def fit_rate(sample: Sequence[Sequence[Option]], *, best: int, key: Key | None = None) -> CostQualityRate:
    """From the models' estimates on recent requests, each request's in the same order of models; `best` is the best one's place, `key` its name."""
    if not sample:
        return CostQualityRate()
    size = len(sample)
    price = sum(row[best][1] for row in sample) / size
    least = sum(min(cost for _, cost in row) for row in sample) / size
    if price <= least:
        return CostQualityRate()
    levels = [_size_weight(row[best][1] / price) for row in sample]
    shares = []
    for tried in _GRID:
        rate = tried / price
        spent = (
            -sum(
                max((quality - rate * level * cost, -cost) for quality, cost in row)[1]
                for row, level in zip(sample, levels, strict=True)
            )
            / size
        )
        shares.append((spent - least) / (price - least))
    return CostQualityRate(shares=_falling(shares), price=price, requests=size, best=key)


def _falling(shares: Sequence[float]) -> tuple[float, ...]:
    low = math.inf
    falling = []
    for share in shares:
        low = min(low, share)
        falling.append(low)
    return tuple(falling)
