from __future__ import annotations

import random

from gateway.routing.estimation.drift import CusumDetector


def outcomes_until_drift(residuals: list[float]) -> int | None:
    detector = CusumDetector()
    for count, residual in enumerate(residuals, start=1):
        detector = detector.update(residual, weight=1.0)
        if detector.drift_detected:
            return count
    return None


def test_model_that_begins_to_fail_is_noticed_within_a_dozen_outcomes() -> None:
    """From nine in ten good to none: the residuals are 2.25 standard deviations each."""
    assert outcomes_until_drift([-2.25] * 12) is not None


def test_model_that_becomes_better_is_noticed_too() -> None:
    """Half of the answers were good, now all are."""
    assert outcomes_until_drift([1.25] * 25) is not None


def test_outcomes_as_expected_raise_no_alarm() -> None:
    """Good answers nine times in ten, as expected: 5,000 of them pass without a false alarm."""
    draw = random.Random(3).random
    assert outcomes_until_drift([((draw() < 0.9) - 0.9) / 0.4 for _ in range(5000)]) is None


def test_weak_labels_alarm_late() -> None:
    """A label counts by its weight."""
    detector = CusumDetector()
    for _ in range(12):
        detector = detector.update(-2.25, weight=0.1)

    assert not detector.drift_detected
