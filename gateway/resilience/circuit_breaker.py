"""Failure counting over a time window, exponential backoff, and the circuit breaker that uses both."""

from __future__ import annotations

from collections import deque


class RollingCounter:
    """Counts events, and the marked ones among them, over the last `span` seconds, with a resolution of one second."""

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
        """(all events, marked events)."""
        while self._seconds and self._seconds[0][0] <= now - self._span:
            _, total, marked = self._seconds.popleft()
            self._total -= total
            self._marked -= marked
        return self._total, self._marked

    def clear(self) -> None:
        self._seconds.clear()
        self._total = self._marked = 0


class ExponentialBackoff:
    """A pause of `first` seconds, doubled up to `longest` each time it starts again without a success in between."""

    def __init__(self, *, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._length = 0.0
        self.until = 0.0

    def start(self, now: float) -> float:
        """Start the pause; returns its seconds, or 0 if it is running already (the failure belongs to a request from before)."""
        if now < self.until:
            return 0.0
        self._length = min(self._longest, self._length * 2) or self._first
        self.until = now + self._length
        return self._length

    def reset(self) -> None:
        self._length = self.until = 0.0


class CircuitBreaker:
    """Opens when at least half of 5 or more requests fail within 30 s, or 3 of 3; for 5 s at first, doubling to 60 s.

    Then it is half-open and lets one probe at a time pass. One success closes it. If it opens again within a minute, the
    doubling continues, so that an upstream which fails half of the time is not tried again and again.
    """

    SPAN, ENOUGH, IN_A_ROW, RATE = 30.0, 5, 3, 0.5
    FIRST, LONGEST, RELAPSE = 5.0, 60.0, 60.0
    PROBE = 60.0  # seconds after which a probe without a result no longer blocks others

    def __init__(self) -> None:
        self._counter = RollingCounter(self.SPAN)
        self._in_a_row = 0
        self._pause = ExponentialBackoff(first=self.FIRST, longest=self.LONGEST)
        self._open = False
        self._closed_at = 0.0
        self._probing_until = 0.0

    def is_open(self, now: float) -> bool:
        """Open, or half-open while its probe is running."""
        return self._open and now < max(self._pause.until, self._probing_until)

    def remaining(self, now: float) -> float:
        return max(self._pause.until, self._probing_until) - now if self.is_open(now) else 0.0

    def acquire_probe(self, now: float) -> None:
        """A request is sent; if the breaker is half-open, it is the probe."""
        if self._open and not self.is_open(now):
            self._probing_until = now + self.PROBE

    def release(self) -> None:
        """The request ended without a result for the upstream's health."""
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
        """Count a failure; returns the seconds for which it opened the breaker, else 0."""
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
