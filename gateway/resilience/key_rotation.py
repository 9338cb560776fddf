"""Rotates a provider's API keys: round robin, with keys that failed last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from gateway.resilience.circuit_breaker import ExponentialBackoff


class KeyRotation:
    """`counts` is the number of keys of each provider; keys are numbered from 1. `clock` is monotonic seconds.

    A key that is refused, or whose account is empty, is avoided for 30 s, doubling to 10 min, until its next success.
    """

    FIRST, LONGEST = 30.0, 600.0

    def __init__(self, counts: Mapping[str, int], *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._backoffs = {
            provider: [ExponentialBackoff(first=self.FIRST, longest=self.LONGEST) for _ in range(count)]
            for provider, count in counts.items()
            if count > 1
        }
        self._last = dict.fromkeys(self._backoffs, 0)

    def next(self, provider: str, *, tried: Collection[int] = ()) -> int | None:
        """The key to use now, not one of `tried`; None for a provider with one key, or if all were tried."""
        backoffs = self._backoffs.get(provider)
        if backoffs is None:
            return None
        now, last, count = self._clock(), self._last[provider], len(backoffs)
        order = [(last + step) % count + 1 for step in range(count)]
        untried = [key for key in order if key not in tried]
        if not untried:
            return None
        chosen = min(untried, key=lambda key: max(0.0, backoffs[key - 1].until - now))
        self._last[provider] = chosen
        return chosen

    def another(self, provider: str, *, tried: Collection[int]) -> bool:
        """Whether the provider has a key that is not in `tried`."""
        return len(self._backoffs.get(provider, ())) > len(tried)

    def failed(self, provider: str, key: int) -> None:
        """The key was refused, or its account is empty."""
        if backoffs := self._backoffs.get(provider):
            backoffs[key - 1].start(self._clock())

    def succeeded(self, provider: str, key: int) -> None:
        if backoffs := self._backoffs.get(provider):
            backoffs[key - 1].reset()
