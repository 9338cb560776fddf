"""Compares the quality of routed answers with that of the baseline's, from ratings on both sides of the holdback's draw."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from gateway.confidence_sequence import ConfidenceSequence

# The widest interval that still says something: a difference of this much either way.
USEFUL_WIDTH = 0.1
_ALPHA = 0.025  # for each side, 0.05 for the difference
_MOST_MISSING = 1_000_000
_FIRST = 5  # labels; fewer leave the interval as wide as none


class Label(NamedTuple):
    """A rating of one answer, from 0 to 1. `baseline`: the draw sent its conversation to the baseline; otherwise it could have."""

    score: float
    baseline: bool


def quality_difference(labels: Iterable[Label]) -> dict[str, Any]:
    """`routed`, `baseline`, `difference` and its interval; null with `enough: false` where the labels do not carry a figure.

    The labels of each side are in the order of time. The interval is valid however often it is looked at. `labels_missing` is
    about the number of labels until it is at most `USEFUL_WIDTH` wide on either side, if they come in the proportion in which
    they have come.
    """
    routed, baseline = ConfidenceSequence(_ALPHA), ConfidenceSequence(_ALPHA)
    for label in labels:
        (baseline if label.baseline else routed).add(label.score)
    low, high = routed.interval.minus(baseline.interval)
    enough = (high - low) / 2 <= USEFUL_WIDTH and routed.mean is not None and baseline.mean is not None
    figures: dict[str, Any] = {
        "labels": routed.count + baseline.count,
        "labels_routed": routed.count,
        "labels_baseline": baseline.count,
        "enough": enough,
    }
    if routed.mean is None or baseline.mean is None or not enough:
        figures |= {"routed": None, "baseline": None, "difference": None, "low": None, "high": None}
        return figures | {"labels_missing": _missing(routed, baseline)}
    return figures | {
        "routed": routed.mean,
        "baseline": baseline.mean,
        "difference": routed.mean - baseline.mean,
        "low": low,
        "high": high,
        "labels_missing": 0,
    }


def _missing(*sides: ConfidenceSequence) -> int:
    """About how many labels are still needed on both sides together; at least one.

    The width of such an interval shrinks about with the root of the number of labels, from `_FIRST` labels on.
    """
    total = sum(side.count for side in sides)
    width = 0.0
    for side in sides:
        low, high = side.interval
        width += (high - low) / 2 * math.sqrt(max(side.count, _FIRST) / max(side.count, 1))
    growth = (width / USEFUL_WIDTH) ** 2
    return max(1, min(math.ceil(max(total, 1) * (growth - 1.0)), _MOST_MISSING))
