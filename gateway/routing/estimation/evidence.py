"""How many outcomes of like prompts stand behind an estimate, and how far they agree: the confidence in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.routing.estimation.examples import Key
from gateway.routing.types import Confidence

# Like prompts have the same pattern and a complexity within so many bins of a tenth.
_BINS = 10
_NEAR = 2

# Outcomes of like prompts, of any model: about a hundred make a choice sure, a few of which may read as another pattern.
MEDIUM_FROM = 10
HIGH_FROM = 80
# So many of them, at least, must be the chosen model's own, and agree: the standard error of their mean is small.
OWN_FROM = 20
HIGH_ERROR = 0.05

Group = tuple[Key, str, int]


@dataclass(frozen=True, slots=True)
class QualityStats:
    """Outcomes with a known quality: how many (by weight), and the sums of their qualities and squares."""

    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, quality: float, *, weight: float) -> QualityStats:
        return QualityStats(
            self.count + weight, self.total + weight * quality, self.squares + weight * quality * quality
        )

    @property
    def error(self) -> float:
        """The standard error of the mean quality."""
        mean = self.total / self.count
        return math.sqrt(max(0.0, self.squares / self.count - mean * mean) / self.count)


NOTHING = QualityStats()
# The key under which the outcomes of all models are counted.
ANY_MODEL: Key = ("", "")


def bucket_of(model: Key, *, pattern: str, complexity: float) -> Group:
    return model, pattern, _bin(complexity)


def similar(bucket_stats: Mapping[Group, QualityStats], model: Key, *, pattern: str, complexity: float) -> QualityStats:
    """The tally of a model's outcomes on like prompts."""
    middle = _bin(complexity)
    count = total = squares = 0.0
    for near in range(middle - _NEAR, middle + _NEAR + 1):
        if stats := bucket_stats.get((model, pattern, near)):
            count += stats.count
            total += stats.total
            squares += stats.squares
    return QualityStats(count, total, squares)


def confidence(own: QualityStats, *, all_models: float) -> Confidence:
    """In an estimate with `own` outcomes behind it, of `all_models` outcomes of like prompts. Those who disagree must be more."""
    seen, count = round(all_models, 6), round(own.count, 6)
    if seen < MEDIUM_FROM or count < 1:
        return "low"
    if seen >= HIGH_FROM and count >= OWN_FROM and own.error <= HIGH_ERROR:
        return "high"
    return "medium"


def _bin(complexity: float) -> int:
    return min(_BINS - 1, max(0, int(complexity * _BINS)))
