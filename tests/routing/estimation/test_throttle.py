"""How much of the time a background thread takes."""

from __future__ import annotations

from concurrent.futures import CancelledError

import pytest

from gateway.routing.estimation.throttle import SLICE, Throttle


class Thread:
    """Its CPU time, and how long it slept."""

    def __init__(self) -> None:
        self.cpu = 7.0
        self.slept: list[float] = []
        self.stopped = False

    def wait(self, seconds: float) -> bool:
        self.slept.append(seconds)
        return self.stopped


def test_slices_take_no_more_than_the_share() -> None:
    """Steps shorter than a slice add up to one; then the thread sleeps in proportion to what it used."""
    thread = Thread()
    throttle = Throttle(thread.wait, clock=lambda: thread.cpu, share=0.25)

    for used in (0.6, 0.6, 0.6, 5.0):
        thread.cpu += used * SLICE
        throttle.pause()

    assert thread.slept == pytest.approx([3 * 1.2 * SLICE, 3 * 5.6 * SLICE])


def test_whole_share_does_not_sleep() -> None:
    """With a share of 1 the thread only looks whether it has to stop."""
    thread = Thread()
    throttle = Throttle(thread.wait, clock=lambda: thread.cpu, share=1.0)
    thread.cpu += 1.0
    throttle.pause()

    assert thread.slept == [0.0]


def test_stopped_work_ends_at_its_next_pause() -> None:
    """What is no longer wanted does not hold up the end of the process."""
    thread = Thread()
    throttle = Throttle(thread.wait, clock=lambda: thread.cpu)
    thread.stopped = True
    thread.cpu += SLICE

    with pytest.raises(CancelledError):
        throttle.pause()
