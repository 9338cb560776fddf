"""Reproducible random numbers: the same key gives the same numbers on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class SeededRandom:
    """A stream of numbers that depends only on its key."""

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(str(part) for part in key).encode("utf-8", "surrogatepass")
        self._counter = 0

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        self._counter += 1
        digest = blake2b(self._key, digest_size=8, salt=self._counter.to_bytes(16, "big")).digest()
        return int.from_bytes(digest, "big") % limit

    def unit(self) -> float:
        """A number in [0, 1)."""
        return self.below(1 << 53) / (1 << 53)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def token(self, length: int) -> str:
        """Random letters and digits, as in the vendors' ids."""
        return "".join(self.pick(ALPHABET) for _ in range(length))
