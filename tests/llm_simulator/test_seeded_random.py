"""Repeatable choices."""

from __future__ import annotations

from llm_simulator.seeded_random import SeededRandom


def test_same_key_same_rolls() -> None:
    """The key decides all rolls."""
    first, second, other = SeededRandom("a", 1), SeededRandom("a", 1), SeededRandom("a", 2)
    assert [first.below(1000) for _ in range(5)] == [second.below(1000) for _ in range(5)]
    assert SeededRandom("a", 1).token(20) != other.token(20)


def test_rolls_cover_their_whole_range() -> None:
    """Rolls stay in their range and reach all of it."""
    rng = SeededRandom("r")
    assert {rng.below(3) for _ in range(60)} == {0, 1, 2}
    assert all(0 <= rng.unit() < 1 for _ in range(60))
    assert {rng.pick("ab") for _ in range(60)} == {"a", "b"}


def test_surrogates_are_keys_too() -> None:
    """Any text can be a key."""
    assert SeededRandom("\ud800").below(2) in (0, 1)
