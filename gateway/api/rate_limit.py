"""Limits the requests per minute of each virtual key."""

from __future__ import annotations

import fcntl
import os
from array import array
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway.errors import LedgerUnavailable, RateLimited

WINDOW = 60.0


class RateLimiter(Protocol):
    """Counts the requests of each key."""

    async def admit(self, key_id: str, *, rpm: int) -> None:
        """Raises RateLimited, and LedgerUnavailable where the requests cannot be counted."""


class SlidingWindowLimiter:
    """At most `rpm` admitted requests of a key within any 60 seconds. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._recent: dict[str, deque[float]] = {}

    async def admit(self, key_id: str, *, rpm: int) -> None:
        """Raises RateLimited with the seconds until the next request may come."""
        _take(self._recent.setdefault(key_id, deque()), now=self._clock(), rpm=rpm)

    def forget(self, key_id: str) -> None:
        """Forget the key's recent requests."""
        self._recent.pop(key_id, None)


class SharedSlidingWindowLimiter(SlidingWindowLimiter):
    """The same across worker processes: the times of a key's last minute are a file in `folder`, locked while it is read and written.

    `clock` must be the same for all processes of the machine, as `time.monotonic` is.
    """

    def __init__(self, clock: Callable[[], float], folder: Path) -> None:
        super().__init__(clock)
        self._folder = folder

    async def admit(self, key_id: str, *, rpm: int) -> None:
        descriptor = os.open(self._folder / f"pace-{key_id}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            stored = array("d")
            stored.frombytes(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
            recent = deque(stored)
            _take(recent, now=self._clock(), rpm=rpm)
            os.ftruncate(descriptor, os.pwrite(descriptor, array("d", recent).tobytes(), 0))
        finally:
            os.close(descriptor)

    def forget(self, key_id: str) -> None:
        (self._folder / f"pace-{key_id}").unlink(missing_ok=True)


class FallbackLimiter:
    """Asks `limiter`; while that cannot count, `fallback` does, so that requests are served on."""

    def __init__(self, limiter: RateLimiter, fallback: RateLimiter) -> None:
        self._limiter = limiter
        self._fallback = fallback

    async def admit(self, key_id: str, *, rpm: int) -> None:
        try:
            await self._limiter.admit(key_id, rpm=rpm)
        except LedgerUnavailable:
            await self._fallback.admit(key_id, rpm=rpm)


def too_many(rpm: int, *, wait: float) -> RateLimited:
    """`wait` is the number of seconds until the next request may come."""
    return RateLimited(f"This key may make {rpm} requests a minute; the next one in {wait:.1f} s.", retry_after=wait)


def _take(recent: deque[float], *, now: float, rpm: int) -> None:
    while recent and recent[0] <= now - WINDOW:
        recent.popleft()
    if len(recent) >= rpm:
        raise too_many(rpm, wait=recent[len(recent) - rpm] + WINDOW - now)
    recent.append(now)
