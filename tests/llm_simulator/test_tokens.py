"""Token counts and caches."""

from __future__ import annotations

from typing import Any

import pytest

from llm_simulator.tokens import PromptCache, count, count_media


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_four_characters_are_a_token(text: str, tokens: int) -> None:
    """Four characters are a token."""
    assert count(text) == tokens


@pytest.mark.parametrize(
    ("kind", "size", "tokens"), [("image", 9, 258), ("audio", 3200, 3), ("audio", 0, 1), ("pdf", 60_000, 516)]
)
def test_media_tokens_are_counted_by_kind(kind: str, size: int, tokens: int) -> None:
    """An image is a tile, sound counts by time, a PDF by page."""
    assert count_media(kind, size) == tokens


def test_cached_prefix_expires_in_its_own_scope() -> None:
    """A prefix is cached for as long as was promised, in its own scope."""
    now = [0.0]
    cache = PromptCache(clock=lambda: now[0])
    cache.remember("a", "x", tokens=5, ttl=10)
    assert cache.tokens("a", "x") == 5
    assert cache.tokens("b", "x") == 0
    now[0] = 10
    assert cache.tokens("a", "x") == 0


def test_oldest_are_forgotten() -> None:
    """The cache is bounded."""
    cache = PromptCache(clock=lambda: 0, capacity=2)
    for name in "xyz":
        cache.remember("a", name, tokens=1, ttl=1)
    assert [cache.tokens("a", name) for name in "xyz"] == [0, 1, 1]


def test_shared_prefix_is_cached_in_whole_blocks() -> None:
    """Whole blocks of a shared prefix are cached the second time."""
    cache = PromptCache(clock=lambda: 0)
    text = "a" * 10_000
    assert cache.implicit("s", text) == 0
    assert cache.implicit("s", text + "b" * 5000) == 2048


def test_implicit_cache_hashes_each_character_once() -> None:
    """The work on a prompt grows with its length, not with the square of it: an image of ten megabytes is answered at once."""
    hashed: list[int] = []

    class CountingDigest(PromptCache):
        def _digest(self, scope: str, prefix: str) -> Any:
            digest = super()._digest(scope, prefix)
            hashed.append(len(prefix))
            return digest

    CountingDigest(clock=lambda: 0).implicit("s", "a" * 1_000_000)
    assert sum(hashed) == 0
