"""What a gateway takes from outside instead of deciding it: clocks, request ids, the seed. Tests pass their own."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

_BYTES = 16  # random bytes of one id
_BATCH = 256  # ids drawn with one system call


class RequestIds:
    """Request ids of 128 random bits.

    They are drawn in batches: the system call releases the interpreter lock, and another thread may take it from the event loop.
    """

    def __init__(self) -> None:
        self._unused = ""

    def __call__(self) -> str:
        if not self._unused:
            self._unused = secrets.token_hex(_BYTES * _BATCH)
        digits, self._unused = self._unused[: 2 * _BYTES], self._unused[2 * _BYTES :]
        return "req_" + digits


@dataclass(frozen=True, slots=True)
class Environment:
    """`clock` is monotonic seconds, `now` the time in UTC. With a `seed` each draw can be repeated; None draws one."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_request_id: Callable[[], str] = field(default_factory=RequestIds)
    seed: int | None = None

    def secret(self) -> bytes:
        """32 bytes that key hashes which mean nothing outside this process; those of the seed where there is one."""
        if self.seed is None:
            return secrets.token_bytes(32)
        return hashlib.blake2b(str(self.seed).encode(), digest_size=32).digest()
