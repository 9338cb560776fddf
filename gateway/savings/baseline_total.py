"""The interval of a sum of baseline costs.

The error of a length ratio is the same in all rows that use it, so it does not average out. All ratios to one baseline share the
error of that baseline's own lengths, which is the largest part where it rarely answers. So the distances from the middle are
added over all rows of one baseline, and as squares only between baselines. Beside the ratio, each answer varies by itself; that
part does average out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

# Standard deviation of one answer's cost about its expectation, as a share of it: output lengths of one model vary about as much as their mean.
ROW_VARIATION = 1.0
_Z95 = 1.96


class BaselineGroup(NamedTuple):
    """Sums of the rows of one baseline model in USD: the ends and the middle of their intervals, and the sum of their squared costs."""

    low: float
    middle: float
    high: float
    squares: float = 0.0


def total_interval(groups: Iterable[BaselineGroup]) -> tuple[float, float, float]:
    """Low, middle and high of the sum, a 95 % interval. `squares` are those of the modelled rows only: exact rows do not vary."""
    middle = below = above = 0.0
    for group in groups:
        noise = _noise(group)
        middle += group.middle
        below += (group.middle - group.low) ** 2 + noise
        above += (group.high - group.middle) ** 2 + noise
    return max(0.0, middle - math.sqrt(below)), middle, middle + math.sqrt(above)


def growth_needed(groups: Iterable[BaselineGroup]) -> float | None:
    """How many times these rows are needed until the low end of their sum is above zero; None where more of them never suffice.

    With `k` times the rows the common error grows `k` times, the variation of single answers as the root of `k`.
    """
    middle = common = noise = 0.0
    for group in groups:
        middle += group.middle
        common += (group.middle - group.low) ** 2
        noise += _noise(group)
    left = middle**2 - common
    return noise / left if left > 0 else None


def _noise(group: BaselineGroup) -> float:
    """The squared half-width that the variation of single answers gives."""
    return float((_Z95 * ROW_VARIATION) ** 2 * group.squares)
