"""Three small memories of failure: a rate over the last seconds, a breaker on it, and a pause that doubles."""

from __future__ import annotations

from collections import deque


class RollingCounter:
    """How many happened, and how many of them were marked, within the last `span` seconds; kept by the second."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._seconds: deque[list[int]] = deque()
        self._total = self._marked = 0

    def add(self, now: float, *, marked: bool) -> None:
        second = int(now)
        last = self._seconds[-1] if self._seconds else None
        if last is None or last[0] != second:
            last = [second, 0, 0]
            self._seconds.append(last)
        last[1] += 1
        self._total += 1
        if marked:
            last[2] += 1
            self._marked += 1

    def counts(self, now: float) -> tuple[int, int]:
        """(all, marked)"""
        while self._seconds and self._seconds[0][0] <= now - self._span:
            _, total, marked = self._seconds.popleft()
            self._total -= total
            self._marked -= marked
        return self._total, self._marked

    def clear(self) -> None:
        self._seconds.clear()
        self._total = self._marked = 0


class ExponentialBackoff:
    """A rest of `first` seconds that doubles up to `longest` each time it is needed again before a success."""

    def __init__(self, *, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._length = 0.0
        self.until = 0.0

    def start(self, now: float) -> float:
        """The seconds it will last; 0 when it is running already: failures that were under way change nothing."""
        if now < self.until:
            return 0.0
        self._length = min(self._longest, self._length * 2) or self._first
        self.until = now + self._length
        return self._length

    def reset(self) -> None:
        self._length = self.until = 0.0


class CircuitBreaker:
    """Opens when at least half of 5 or more failed within 30 s, or 3 in a row with nothing else; then for 5 s, doubling to 60 s.

    After that one probe at a time passes. One success closes it; opening again within a minute of that goes on doubling,
    so that an upstream which fails half of the time is not tried over and over.
    """

    SPAN, ENOUGH, IN_A_ROW, RATE = 30.0, 5, 3, 0.5
    FIRST, LONGEST, RELAPSE = 5.0, 60.0, 60.0
    PROBE = 60.0  # seconds after which a probe that never reported no longer keeps others out

    def __init__(self) -> None:
        self._counter = RollingCounter(self.SPAN)
        self._in_a_row = 0
        self._pause = ExponentialBackoff(first=self.FIRST, longest=self.LONGEST)
        self._open = False
        self._closed_at = 0.0
        self._probing_until = 0.0

    def is_open(self, now: float) -> bool:
        """Open, or half-open with its probe under way."""
        return self._open and now < max(self._pause.until, self._probing_until)

    def remaining(self, now: float) -> float:
        return max(self._pause.until, self._probing_until) - now if self.is_open(now) else 0.0

    def acquire_probe(self, now: float) -> None:
        """A request is on its way; when half-open it is the probe."""
        if self._open and not self.is_open(now):
            self._probing_until = now + self.PROBE

    def release(self) -> None:
        """That request ended without saying anything about the upstream."""
        self._probing_until = 0.0

    def succeeded(self, now: float) -> None:
        self._in_a_row = 0
        self._probing_until = 0.0
        self._counter.add(now, marked=False)
        if self._open:
            self._open = False
            self._closed_at = now
            self._counter.clear()

    def failed(self, now: float) -> float:
        """The seconds for which this failure opened it, 0 when it did not."""
        self._counter.add(now, marked=True)
        self._in_a_row += 1
        self._probing_until = 0.0
        if not self._open and not self._should_open(now):
            return 0.0
        if not self._open and now - self._closed_at > self.RELAPSE:
            self._pause.reset()
        self._open = True
        return self._pause.start(now)

    def _should_open(self, now: float) -> bool:
        total, failed = self._counter.counts(now)
        if total == failed:
            return self._in_a_row >= self.IN_A_ROW
        return total >= self.ENOUGH and failed >= self.RATE * total
