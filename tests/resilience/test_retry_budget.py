"""The share of retries among an upstream's attempts."""

from __future__ import annotations

from gateway.resilience import RetryBudget
from tests.resilience.clocks import Clock


def test_three_retries_are_always_permitted() -> None:
    """An upstream without other attempts may be retried three times."""
    budget = RetryBudget(Clock())
    for _ in range(3):
        assert budget.permits("claude")
        budget.spend("claude", retry=True)
    assert not budget.permits("claude")
    assert budget.permits("gemini")


def test_a_fifth_of_the_attempts_may_be_retries() -> None:
    """Ten attempts permit two retries more, for a minute."""
    clock = Clock()
    budget = RetryBudget(clock)
    for _ in range(10):
        budget.spend("claude", retry=False)
    for _ in range(5):
        assert budget.permits("claude")
        budget.spend("claude", retry=True)
    assert not budget.permits("claude")
    clock.now += 61
    assert budget.permits("claude")
