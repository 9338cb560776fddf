"""Intervals for a mean that stay valid however often they are looked at, for values from 0 to 1.

An ordinary 95 % interval is wrong more often than 5 % when somebody watches it and stops at a convenient moment. A confidence
sequence contains the true mean at all times at once with the stated probability. This is the predictable plug-in empirical
Bernstein sequence: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024),
Theorem 2, https://arxiv.org/abs/2010.09686
"""

from __future__ import annotations

import math
from typing import NamedTuple

LARGEST_BET = 0.5  # `c` in the paper: bounds the weight of one observation


class Interval(NamedTuple):
    low: float
    high: float

    def minus(self, other: Interval) -> Interval:
        """The difference of two means. It misses with the sum of both probabilities of error."""
        return Interval(self.low - other.high, self.high - other.low)


class ConfidenceSequence:
    """Takes observations one by one, in the order in which they came. `alpha` is the probability of ever missing the mean.

    Observations need not be independent, but each must have the same mean given those before it.
    """

    __slots__ = ("_alpha", "_high", "_low", "_mean", "_radius_sum", "_variance", "_weight_sum", "_weighted", "count")

    def __init__(self, alpha: float = 0.05) -> None:
        self._alpha = alpha
        self.count = 0
        self._mean = 0.5  # of the observations so far and one prior observation
        self._variance = 0.25  # likewise
        self._weighted = self._weight_sum = self._radius_sum = 0.0
        self._low, self._high = 0.0, 1.0

    @property
    def mean(self) -> float | None:
        """The weighted mean at the centre of the newest interval; None before the first observation."""
        return self._weighted / self._weight_sum if self.count else None

    @property
    def interval(self) -> Interval:
        """The intersection of all intervals so far: it only shrinks."""
        return Interval(self._low, self._high)

    def add(self, value: float) -> None:
        """Raises ValueError for a value outside 0 to 1."""
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"an observation is from 0 to 1, not {value}")
        self.count += 1
        count, log = self.count, math.log(2 / self._alpha)
        bet = min(math.sqrt(2 * log / (self._variance * count * math.log(count + 1))), LARGEST_BET)
        surprise = 4 * (value - self._mean) ** 2
        self._weighted += bet * value
        self._weight_sum += bet
        self._radius_sum += surprise * (-math.log(1 - bet) - bet) / 4
        centre = self._weighted / self._weight_sum
        radius = (log + self._radius_sum) / self._weight_sum
        # If the mean drifts, the intersection may become empty; the newest estimate is then the honest one.
        low, high = max(self._low, centre - radius), min(self._high, centre + radius)
        self._low, self._high = (low, high) if low <= high else (max(0.0, centre - radius), min(1.0, centre + radius))
        self._mean += (value - self._mean) / (count + 1)
        self._variance += ((value - self._mean) ** 2 - self._variance) / (count + 1)
