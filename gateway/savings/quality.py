"""Compares the quality of routed answers with that of the baseline's answers, from labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from gateway.confidence_sequence import ConfidenceSequence

# The widest interval that still says something: a difference of this much either way.
USEFUL_WIDTH = 0.1
_ALPHA = 0.025  # for each side, 0.05 for the difference


class Label(NamedTuple):
    """A judgement of one answer, from 0 to 1, in the order of time. `baseline`: the baseline itself answered."""

    score: float
    baseline: bool


def quality_difference(labels: Iterable[Label]) -> dict[str, Any]:
    """`routed`, `baseline`, `difference` and its interval; null with `enough: false` where the labels do not carry a figure.

    The interval is valid however often it is looked at. `labels_missing` is about the number of labels until it is at most
    `USEFUL_WIDTH` wide on either side: the width of such an interval shrinks about with the root of the number of labels.
    """
    routed, baseline = ConfidenceSequence(_ALPHA), ConfidenceSequence(_ALPHA)
    for label in labels:
        (baseline if label.baseline else routed).add(label.score)
    low, high = routed.interval.minus(baseline.interval)
    half_width = (high - low) / 2
    enough = half_width <= USEFUL_WIDTH and routed.mean is not None and baseline.mean is not None
    figures: dict[str, Any] = {"labels": routed.count + baseline.count, "enough": enough}
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
    """About how many labels both sides still need; at least one."""
    missing = 0
    for side in sides:
        low, high = side.interval
        wanted = USEFUL_WIDTH / 2
        count = max(side.count, 30)
        missing += max(0, round(count * ((high - low) / 2 / wanted) ** 2) - side.count)
    return max(1, min(missing, 100_000))
