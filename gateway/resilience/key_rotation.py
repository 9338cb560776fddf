"""Which of a provider's keys is used next: in turn, those that failed last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from gateway.resilience.circuit_breaker import ExponentialBackoff


class KeyRotation:
    """`counts` says how many keys each provider has; keys are numbered from 1. `clock` is monotonic seconds.

    A key that is refused or cannot pay rests for 30 s, doubling to 10 min, and one success ends that.
    """

    FIRST, LONGEST = 30.0, 600.0

    def __init__(self, counts: Mapping[str, int], *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pauses = {
            provider: [ExponentialBackoff(first=self.FIRST, longest=self.LONGEST) for _ in range(count)]
            for provider, count in counts.items()
            if count > 1
        }
        self._last = dict.fromkeys(self._pauses, 0)

    def next(self, provider: str, *, tried: Collection[int] = ()) -> int | None:
        """The key to use now, none of those tried already; None when there is no choice."""
        pauses = self._pauses.get(provider)
        if pauses is None:
            return None
        now, last, count = self._clock(), self._last[provider], len(pauses)
        order = [(last + step) % count + 1 for step in range(count)]
        able = [key for key in order if key not in tried]
        if not able:
            return None
        chosen = min(able, key=lambda key: max(0.0, pauses[key - 1].until - now))
        self._last[provider] = chosen
        return chosen

    def another(self, provider: str, *, tried: Collection[int]) -> bool:
        """Whether there is a key that was not tried."""
        return len(self._pauses.get(provider, ())) > len(tried)

    def failed(self, provider: str, key: int) -> None:
        """It was refused, or its account is empty."""
        if pauses := self._pauses.get(provider):
            pauses[key - 1].start(self._clock())

    def succeeded(self, provider: str, key: int) -> None:
        if pauses := self._pauses.get(provider):
            pauses[key - 1].reset()
