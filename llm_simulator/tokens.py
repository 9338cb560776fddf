"""Token counts and prompt caches, similar enough to the vendors' to test accounting."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

CHARS_PER_TOKEN = 4
IMAGE_TOKENS = 258
AUDIO_BYTES_PER_TOKEN = 1000
"""16 kHz 16-bit speech is 32,000 bytes and 32 tokens a second."""
PDF_BYTES_PER_PAGE = 50_000
BLOCK_TOKENS = 1024
"""Implicit caches work in blocks of this many tokens."""


def count(text: str) -> int:
    """Tokens of a text: one for every four characters, at least one for any text."""
    return -(-len(text) // CHARS_PER_TOKEN)


def count_media(kind: str, size: int) -> int:
    """Tokens of a media part of `size` bytes."""
    if kind == "audio":
        return max(1, size // AUDIO_BYTES_PER_TOKEN)
    if kind == "pdf":
        return IMAGE_TOKENS * (1 + size // PDF_BYTES_PER_PAGE)
    return IMAGE_TOKENS


@dataclass(frozen=True, slots=True)
class CacheEntry:
    tokens: int
    expires: float


class PromptCache:
    """Cached prompt prefixes with a time to live; beyond `capacity` the oldest are removed."""

    def __init__(self, *, clock: Callable[[], float], capacity: int = 4096) -> None:
        self._clock = clock
        self._capacity = capacity
        self._entries: OrderedDict[bytes, CacheEntry] = OrderedDict()

    def remember(self, scope: str, prefix: str, *, tokens: int, ttl: float) -> None:
        self._remember(self._digest(scope, prefix).digest(), tokens=tokens, ttl=ttl)

    def tokens(self, scope: str, prefix: str) -> int:
        """Tokens of this prefix if it is cached, else 0."""
        return self._tokens(self._digest(scope, prefix).digest())

    def implicit(self, scope: str, text: str, *, ttl: float = 300) -> int:
        """Cached tokens of a prompt with implicit caching in blocks; then caches its blocks."""
        width = BLOCK_TOKENS * CHARS_PER_TOKEN
        cached = 0
        digest = self._digest(scope, "")
        for end in range(width, len(text) + 1, width):
            digest.update(text[end - width : end].encode("utf-8", "surrogatepass"))  # each block is hashed once
            key = digest.digest()
            cached = self._tokens(key) or cached
            self._remember(key, tokens=end // CHARS_PER_TOKEN, ttl=ttl)
        return cached

    def _tokens(self, key: bytes) -> int:
        entry = self._entries.get(key)
        return entry.tokens if entry and entry.expires > self._clock() else 0

    def _remember(self, key: bytes, *, tokens: int, ttl: float) -> None:
        self._entries[key] = CacheEntry(tokens, self._clock() + ttl)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def _digest(self, scope: str, prefix: str) -> blake2b:
        return blake2b(f"{scope}\x1f{prefix}".encode("utf-8", "surrogatepass"), digest_size=16)
