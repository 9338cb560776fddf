"""Limits the share of retries among an upstream's attempts, so that retries cannot multiply an overload (Envoy's retry budget)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from gateway.resilience.circuit_breaker import RollingCounter


class RetryBudget:
    """Retries at an upstream: 20 % of its attempts in the last minute, plus 3. `clock` is monotonic seconds."""

    SHARE, FLOOR, SPAN = 0.2, 3, 60.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counters: OrderedDict[str, RollingCounter] = OrderedDict()

    def spend(self, provider: str, *, retry: bool) -> None:
        """Count an attempt; `retry` says whether it takes from the budget."""
        counter = self._counters.get(provider)
        if counter is None:
            counter = self._counters[provider] = RollingCounter(self.SPAN)
        counter.add(self._clock(), marked=retry)

    def permits(self, provider: str) -> bool:
        """Whether another retry at this provider is within the budget."""
        counter = self._counters.get(provider)
        total, retries = (0, 0) if counter is None else counter.counts(self._clock())
        return retries < self.SHARE * (total - retries) + self.FLOOR
