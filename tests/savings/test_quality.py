"""The quality of routed answers against the baseline's."""

from __future__ import annotations

import random

from gateway.savings.quality import Label, quality_difference


def labels(count: int, *, routed: float, baseline: float, seed: int = 1) -> list[Label]:
    draw = random.Random(seed)
    sides = ((False, routed), (True, baseline))
    return [Label(float(draw.random() < mean), side) for _ in range(count) for side, mean in sides]


def test_few_labels_carry_no_figure() -> None:
    """Without labels, or with a few of them, every figure is null, and it says about how many are missing."""
    for few in ([], labels(20, routed=0.9, baseline=0.9), [Label(1.0, baseline=False)] * 500):
        report = quality_difference(few)
        assert (report["enough"], report["difference"], report["routed"], report["low"]) == (False, None, None, None)
        assert report["labels"] == len(few)
        assert report["labels_missing"] >= 1


def test_enough_labels_give_an_interval_around_the_difference() -> None:
    """With many labels on both sides the difference stands in an interval that contains the true one."""
    report = quality_difference(labels(4000, routed=0.85, baseline=0.9))
    assert report["enough"]
    assert report["low"] <= -0.05 <= report["high"]
    assert report["low"] <= report["difference"] <= report["high"]
    assert (report["labels"], report["labels_missing"]) == (8000, 0)


def test_fewer_labels_are_missing_the_more_there_are() -> None:
    """The number of missing labels falls as labels come."""
    missing = [quality_difference(labels(count, routed=0.9, baseline=0.9))["labels_missing"] for count in (50, 400)]
    assert missing[0] > missing[1]
