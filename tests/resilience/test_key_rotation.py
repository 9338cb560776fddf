"""Which key of a provider is used next."""

from __future__ import annotations

from gateway.resilience import KeyRotation
from tests.resilience.clocks import Clock


def test_keys_of_each_provider_rotate_separately() -> None:
    """The keys of a provider are used one after the other, each provider's for itself."""
    rotation = KeyRotation({"gemini": 3, "claude": 2}, clock=Clock())
    assert [rotation.next("gemini") for _ in range(4)] == [1, 2, 3, 1]
    assert rotation.next("claude") == 1


def test_one_key_has_no_turns() -> None:
    """With a single key there is nothing to choose, and its failure is told to nobody here."""
    rotation = KeyRotation({"gemini": 1}, clock=Clock())
    rotation.failed("gemini", 1)
    rotation.succeeded("gemini", 1)
    assert rotation.next("gemini") is None
    assert not rotation.another("gemini", tried={1})


def test_a_failed_key_rests() -> None:
    """A key that failed is passed over for 30 s, doubling, and comes back after a success."""
    clock = Clock()
    rotation = KeyRotation({"gemini": 2}, clock=clock)
    rotation.failed("gemini", 1)
    assert [rotation.next("gemini") for _ in range(3)] == [2, 2, 2]
    clock.now += 31
    assert rotation.next("gemini") == 1
    rotation.failed("gemini", 1)
    clock.now += 31
    assert rotation.next("gemini") == 2
    rotation.succeeded("gemini", 1)
    assert rotation.next("gemini") == 1


def test_shortest_resting_key_is_tried_when_all_rest() -> None:
    """When every key rests, the one that rests shortest is tried; none that the request tried already."""
    clock = Clock()
    rotation = KeyRotation({"gemini": 2}, clock=clock)
    rotation.failed("gemini", 2)
    clock.now += 5
    rotation.failed("gemini", 1)
    assert rotation.next("gemini") == 2
    assert rotation.next("gemini", tried={2}) == 1
    assert rotation.another("gemini", tried={2})
    assert rotation.next("gemini", tried={1, 2}) is None
    assert not rotation.another("gemini", tried={1, 2})
