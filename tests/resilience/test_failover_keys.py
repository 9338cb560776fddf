"""Several keys of one provider within one request."""

from __future__ import annotations

import pytest

from gateway.errors import UpstreamAccountEmpty, UpstreamAuth, UpstreamError, UpstreamOverloaded
from gateway.resilience import AttemptSequence, Candidate, FailoverPolicy, KeyRotation, UpstreamHealth
from tests.resilience.clocks import Clock

FLASH = Candidate("gemini", "flash")
PRO = Candidate("gemini", "pro")
HAIKU = Candidate("claude", "haiku")


def policy_with(keys: int, *, max_attempts: int = 3) -> FailoverPolicy:
    clock = Clock()
    return FailoverPolicy(
        UpstreamHealth(clock),
        clock=clock,
        uniform=lambda low, high: low,
        max_attempts=max_attempts,
        key_rotation=KeyRotation({"gemini": keys}, clock=clock),
    )


def deployments(attempts: AttemptSequence, *errors: UpstreamError) -> list[str]:
    """Whom each attempt asks: the model with the provider's name and key, until none is left or one is not failed."""
    order = []
    for error in (*errors, None):
        candidate = attempts.next()
        if candidate is None:
            break
        order.append(f"{candidate.deployment}/{candidate.model}")
        if error is not None:
            attempts.failed(error)
    return order


@pytest.mark.parametrize("error", [UpstreamAuth("refused"), UpstreamAccountEmpty("empty")], ids=["bad", "empty"])
@pytest.mark.parametrize("pinned", [True, False])
def test_refused_key_is_replaced_by_the_next(error: UpstreamError, pinned: bool) -> None:
    """A key that is refused or cannot pay is not used again by the request: the same model is asked with the next one."""
    attempts = policy_with(2).begin([FLASH], pinned=pinned)
    assert deployments(attempts, error) == ["gemini/flash", "gemini#2/flash"]


def test_other_failures_keep_the_key() -> None:
    """An overloaded model is not asked at once with another key: that would only add to its load."""
    attempts = policy_with(2).begin([FLASH, HAIKU], pinned=False)
    assert deployments(attempts, UpstreamOverloaded("busy")) == ["gemini/flash", "claude/haiku"]


def test_provider_rests_when_every_key_failed() -> None:
    """Only when every key failed is the provider left, and it rests then."""
    policy = policy_with(2)
    attempts = policy.begin([FLASH, PRO, HAIKU], pinned=False)
    refused = UpstreamAuth("refused")
    assert deployments(attempts, refused, refused) == ["gemini/flash", "gemini#2/flash", "claude/haiku"]
    assert policy.upstream_health.cooling() == {("gemini", None)}


def test_a_dropped_key_does_not_cool_the_provider() -> None:
    """One bad key among several costs one attempt: the next requests use the other and the provider is not resting."""
    policy = policy_with(2)
    first = policy.begin([FLASH], pinned=False)
    assert deployments(first, UpstreamAuth("refused")) == ["gemini/flash", "gemini#2/flash"]
    first.succeeded()
    assert not policy.upstream_health.cooling()
    assert [deployments(policy.begin([FLASH], pinned=False)) for _ in range(2)] == [["gemini#2/flash"]] * 2


def test_keys_count_as_attempts() -> None:
    """The keys of one provider do not get a request more attempts than it has."""
    refused = UpstreamAuth("refused")
    attempts = policy_with(5, max_attempts=2).begin([FLASH, HAIKU], pinned=False)
    assert deployments(attempts, refused, refused, refused) == ["gemini/flash", "gemini#2/flash"]
