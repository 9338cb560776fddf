"""The cost multiplier: how much quality one US dollar must buy, for each point of the cost-quality trade-off.

A request goes to the model with the highest `quality - rate * cost`. One rate for all requests buys the most quality for a given total
cost (Lagrange multiplier; Everett, Operations Research 11(3), 1963). The trade-off names that total: at 0.3, about 30 % of the span
between "always the cheapest model" and "always the best model" is spent. The rate is therefore fitted to a sample of recent requests.

Three corrections make it robust against estimation errors. With few requests in the sample, the rate is shrunk towards a default.
The rate has a lower bound, so that a gain too small for its price is not bought even where the share would allow it. And only a part
of a request's own size counts: otherwise short requests would always look like the better buy, because a mistake on them is cheap.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.catalog import ModelKey
from gateway.routing.estimation.throttle import Pause, no_pause

# Candidate rates, in quality per mean cost of the best model. The lowest pays that cost for a quality of 0.001.
_GRID: tuple[float, ...] = tuple(0.001 * 1.5**i for i in range(24))
# The default rate and the lower bound, at a trade-off of 0.5, in the same unit. The default counts as much as 32 requests.
_DEFAULT_RATE = 0.15
_MIN_RATE = 0.08
_DEFAULT_WEIGHT = 32
_ANCHORED_UP_TO = 0.5
# The share of a request's cost that is proportional to its own size; the rest is that of a request of mean size.
_OWN_SIZE_SHARE = 0.25

Option = tuple[float, float]  # (quality, cost)


@dataclass(frozen=True, slots=True)
class CostQualityRate:
    """The fitted multiplier. `price` is the mean cost (USD) of the model `anchor` over the `requests` of the sample.

    `shares` has for each rate of the grid the share of the cost span that it spends, in falling order. `typical` is the mean feature
    vector of the sample, empty before the first fit.
    """

    shares: tuple[float, ...] = ()
    price: float = 0.0
    requests: int = 0
    anchor: ModelKey | None = None
    typical: tuple[float, ...] = ()

    def rate(self, tradeoff: float, *, price: float, highest: float | None = None, usual: float | None = None) -> float:
        """Quality per USD at a trade-off of 0 (cheapest) to 1 (best quality).

        `price` is the anchor's cost (USD), used before the first fit, and `highest` that of the best model, which counts above a
        trade-off of 0.5. `usual` is the cost (USD) of `anchor` on this request.
        """
        if tradeoff <= 0:
            return math.inf
        if tradeoff >= 1:
            return 0.0
        odds = (1 - tradeoff) / tradeoff
        default = _DEFAULT_RATE * odds
        reach = _reach(tradeoff, price=price, highest=highest)
        if not self.shares:
            return default / price / reach if price > 0 else 0.0
        weight = self.requests / (self.requests + _DEFAULT_WEIGHT)
        mixed = math.exp(weight * math.log(self._interpolated(tradeoff)) + (1 - weight) * math.log(default))
        weighted = max(mixed, _MIN_RATE * odds) * (size_weight(usual / self.price) if usual else 1.0)
        return weighted / self.price / reach

    def _interpolated(self, tradeoff: float) -> float:
        """The rate that spends the share `tradeoff`, by log-linear interpolation between two rates of the grid."""
        index = bisect_left([-share for share in self.shares], -tradeoff)
        if index == 0:
            return _GRID[0]
        if index == len(_GRID):
            return _GRID[-1]
        above, below = self.shares[index - 1], self.shares[index]
        low, high = math.log(_GRID[index - 1]), math.log(_GRID[index])
        return math.exp(low + (high - low) * (above - tradeoff) / (above - below))


def _reach(tradeoff: float, *, price: float, highest: float | None) -> float:
    """The factor on the anchor's price: 1 up to a trade-off of 0.5, then geometrically up to the best model's price at 1."""
    if tradeoff <= _ANCHORED_UP_TO or highest is None or not 0 < price < highest:
        return 1.0
    return float((highest / price) ** ((tradeoff - _ANCHORED_UP_TO) / (1 - _ANCHORED_UP_TO)))


def size_weight(size: float) -> float:
    """The factor on a request's cost. `size` is relative to the mean request, which has the factor 1."""
    return _OWN_SIZE_SHARE + (1.0 - _OWN_SIZE_SHARE) / size


def fit_rate(
    sample: Sequence[Sequence[Option]], *, anchor: int, key: ModelKey | None = None, pause: Pause = no_pause
) -> CostQualityRate:
    """Fits the rate to a sample: for each request the options of all models, in the same order of models.

    `anchor` is the index of the best model, `key` its name. Without a cost span between the cheapest and the best, nothing is fitted.
    `pause` is called between two candidate rates.
    """
    if not sample:
        return CostQualityRate()
    size = len(sample)
    price = sum(options[anchor][1] for options in sample) / size
    lowest = sum(min(cost for _, cost in options) for options in sample) / size
    if price <= lowest:
        return CostQualityRate()
    size_weights = [size_weight(options[anchor][1] / price) for options in sample]
    shares = []
    for candidate in _GRID:
        rate = candidate / price
        spent = (
            -sum(
                max((quality - rate * size_weight * cost, -cost) for quality, cost in options)[1]
                for options, size_weight in zip(sample, size_weights, strict=True)
            )
            / size
        )
        shares.append((spent - lowest) / (price - lowest))
        pause()
    return CostQualityRate(shares=_cumulative_minimum(shares), price=price, requests=size, anchor=key)


def _cumulative_minimum(shares: Sequence[float]) -> tuple[float, ...]:
    lowest = math.inf
    result = []
    for share in shares:
        lowest = min(lowest, share)
        result.append(lowest)
    return tuple(result)
