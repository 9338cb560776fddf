"""How many outcomes of like prompts stand behind an estimate, and how far they agree: the confidence in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from gateway.routing.models import Confidence

# Like prompts have the same pattern and a complexity within so many bins of a tenth.
_BINS = 10
_NEAR = 2

MEDIUM_FROM = 10
# About a hundred that agree; a few of a hundred are spent on other models or read as another pattern.
HIGH_FROM = 80
HIGH_ERROR = 0.04

Key = tuple[str, str]
Group = tuple[Key, str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes with a known quality: how many (by weight), and the sums of their qualities and squares."""

    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, quality: float, *, weight: float) -> Tally:
        return Tally(self.count + weight, self.total + weight * quality, self.squares + weight * quality * quality)

    def joined(self, other: Tally) -> Tally:
        return Tally(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def confidence(self) -> Confidence:
        """`high` when there are many and the mean's standard error is small, so that those who disagree must be more."""
        count = round(self.count, 6)
        if count < MEDIUM_FROM:
            return "low"
        mean = self.total / self.count
        error = math.sqrt(max(0.0, self.squares / self.count - mean * mean) / self.count)
        return "high" if count >= HIGH_FROM and error <= HIGH_ERROR else "medium"


NOTHING = Tally()


def group_of(model: Key, *, pattern: str, complexity: float) -> Group:
    return model, pattern, _bin(complexity)


def like(tallies: Mapping[Group, Tally], model: Key, *, pattern: str, complexity: float) -> Tally:
    """The tally of a model's outcomes on like prompts."""
    middle = _bin(complexity)
    near = [tallies.get((model, pattern, i)) for i in range(middle - _NEAR, middle + _NEAR + 1)]
    return reduce(Tally.joined, [tally for tally in near if tally is not None], NOTHING)


def _bin(complexity: float) -> int:
    return min(_BINS - 1, max(0, int(complexity * _BINS)))
