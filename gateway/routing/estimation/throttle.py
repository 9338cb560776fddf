"""Slices of work: how a background thread learns without delaying the event loop.

Only one thread at a time runs Python code. While the learner computes, the event loop waits for it at every turn, up to the
interpreter's switch interval of 5 ms. So whatever learns calls `pause` between steps of well below a millisecond, and the throttle
sleeps once the steps add up to a slice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError

# Called between two steps of work.
Pause = Callable[[], None]

# Seconds of CPU in one slice, and the share of the time that slices may take.
SLICE = 0.001
SHARE = 0.25


class Throttle:
    """For one piece of work in one thread. `clock` is the CPU time of that thread in seconds.

    `wait` sleeps for some seconds, and returns True once the work is to stop.
    """

    def __init__(self, wait: Callable[[float], bool], *, clock: Callable[[], float], share: float = SHARE) -> None:
        self._wait = wait
        self._clock = clock
        self._rest = 1.0 / share - 1.0  # seconds of sleep for each second of work
        self._began = clock()

    def pause(self) -> None:
        """Sleeps if a slice is over, in proportion to its length. Raises CancelledError."""
        used = self._clock() - self._began
        if used < SLICE:
            return
        if self._wait(used * self._rest):
            raise CancelledError
        self._began = self._clock()


def no_pause() -> None:
    """For work that a caller waits for."""
