"""Intervals that stay valid however often they are looked at."""

from __future__ import annotations

import random

import pytest

from gateway.confidence_sequence import ConfidenceSequence, Interval


@pytest.mark.parametrize("mean", [0.05, 0.5, 0.93])
def test_the_mean_is_never_missed_more_often_than_stated(mean: float) -> None:
    """Over 200 runs of 400 observations, at most 5 % of the runs ever exclude the true mean, at any of the looks."""
    missed = 0
    for seed in range(200):
        rng, sequence = random.Random(seed), ConfidenceSequence(alpha=0.05)
        for _ in range(400):
            sequence.add(float(rng.random() < mean))
            if not sequence.interval.low <= mean <= sequence.interval.high:
                missed += 1
                break
    assert missed <= 10


def test_the_interval_shrinks_with_observations() -> None:
    """An interval only shrinks, and with little variance it does so faster."""
    widths = {}
    for spread in (0.01, 0.5):
        rng, sequence = random.Random(7), ConfidenceSequence()
        before = sequence.interval
        assert before == (0.0, 1.0)
        for _ in range(1000):
            sequence.add(0.5 + spread * (rng.random() - 0.5))
            now = sequence.interval
            assert before.low <= now.low <= now.high <= before.high
            before = now
        widths[spread] = now.high - now.low
    assert widths[0.01] < 0.02 < widths[0.5] < 0.12


def test_the_newest_observations_win_after_a_drift() -> None:
    """When the observations contradict the earlier intervals, the interval is the newest one instead of an empty one."""
    sequence = ConfidenceSequence()
    for value in [1.0] * 300 + [0.0] * 3000:
        sequence.add(value)
        assert sequence.interval.low <= sequence.interval.high


def test_a_mean_needs_an_observation() -> None:
    """Without observations there is no mean; with one there is."""
    sequence = ConfidenceSequence()
    assert (sequence.mean, sequence.count) == (None, 0)
    sequence.add(0.25)
    assert (sequence.mean, sequence.count) == (0.25, 1)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_value_outside_the_range_is_refused(value: float) -> None:
    """The guarantee holds for values from 0 to 1 only."""
    with pytest.raises(ValueError, match="from 0 to 1"):
        ConfidenceSequence().add(value)


def test_a_difference_covers_all_pairs() -> None:
    """The difference of two intervals runs from the lowest to the highest difference of their members."""
    assert Interval(0.75, 1.0).minus(Interval(0.25, 0.5)) == Interval(0.25, 0.75)
