"""How many outcomes on similar prompts support an estimate and how far they agree: the confidence in the estimate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.catalog import ModelKey
from gateway.routing.types import Confidence

# Similar prompts have the same pattern and a complexity at most two bins of a tenth apart.
_BINS = 10
_NEIGHBOUR_BINS = 2

# Outcomes on similar prompts, of any model. High confidence takes about a hundred, some of which may be classified as another pattern.
MEDIUM_FROM = 10
HIGH_FROM = 80
# High confidence also takes this many of the model's own, and at most this standard error of their mean quality.
OWN_FROM = 20
HIGH_ERROR = 0.05

Group = tuple[ModelKey, str, int]  # model, pattern, bin of the complexity


@dataclass(frozen=True, slots=True)
class QualityStats:
    """Weighted count, sum and sum of squares of known qualities."""

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
# The key of the statistics of all models together.
ANY_MODEL = ModelKey("", "")


def bucket_of(model: ModelKey, *, pattern: str, complexity: float) -> Group:
    return model, pattern, complexity_bin(complexity)


def similar(bucket_stats: Mapping[Group, QualityStats], bucket: Group) -> QualityStats:
    """The statistics of a model's outcomes on prompts that are similar to those of a bucket."""
    model, pattern, middle = bucket
    count = total = squares = 0.0
    for bin_ in range(middle - _NEIGHBOUR_BINS, middle + _NEIGHBOUR_BINS + 1):
        if stats := bucket_stats.get((model, pattern, bin_)):
            count += stats.count
            total += stats.total
            squares += stats.squares
    return QualityStats(count, total, squares)


def confidence(own: QualityStats, *, all_models: float) -> Confidence:
    """From the model's own outcomes on similar prompts and the number of all models' outcomes on them."""
    support, count = round(all_models, 6), round(own.count, 6)
    if support < MEDIUM_FROM or count < 1:
        return "low"
    if support >= HIGH_FROM and count >= OWN_FROM and own.error <= HIGH_ERROR:
        return "high"
    return "medium"


def complexity_bin(complexity: float) -> int:
    """Tenths of the complexity, 0 to 9."""
    return min(_BINS - 1, max(0, int(complexity * _BINS)))
