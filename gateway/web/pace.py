"""How many requests a minute each virtual key may make."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gateway.errors import RateLimited

SPAN = 60.0


class Pace:
    """Within any 60 seconds a key makes at most its number of requests; refused ones do not count. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._recent: dict[str, deque[float]] = {}

    def admit(self, key_id: str, *, rpm: int) -> None:
        """Raises RateLimited with the seconds until the next request may come."""
        now = self._clock()
        recent = self._recent.setdefault(key_id, deque())
        while recent and recent[0] <= now - SPAN:
            recent.popleft()
        if len(recent) >= rpm:
            wait = recent[len(recent) - rpm] + SPAN - now
            raise RateLimited(
                f"This key may make {rpm} requests a minute; the next one in {wait:.1f} s.", retry_after=wait
            )
        recent.append(now)
