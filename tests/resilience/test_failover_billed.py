"""What is asked after a failure that may be billed, and within which deadline."""

from __future__ import annotations

import pytest

from gateway.errors import UpstreamError, UpstreamOverloaded, UpstreamTimeout
from gateway.resilience import Candidate, FailoverPolicy, UpstreamHealth
from tests.resilience.clocks import Clock

HAIKU = Candidate("claude", "haiku", 200_000)
FLASH = Candidate("gemini", "flash", 1_000_000)
QWEN = Candidate("openrouter", "qwen/qwen-3", None)
LLAMA = Candidate("local", "llama", None)
ALL = (HAIKU, FLASH, QWEN, LLAMA)


@pytest.fixture
def policy() -> FailoverPolicy:
    clock = Clock()
    return FailoverPolicy(UpstreamHealth(clock), clock=clock, uniform=lambda low, high: high, deadline=100)


def asked(policy: FailoverPolicy, *errors: UpstreamError) -> tuple[list[Candidate | None], str]:
    """Who is asked, each failing with the next of `errors`, who would be after, and what the client is told."""
    attempts = policy.begin(ALL, pinned=False)
    order = []
    for error in errors:
        order.append(attempts.next())
        attempts.failed(error)
    return [*order, attempts.next()], str(attempts.exhausted())


@pytest.mark.parametrize(
    ("errors", "order"),
    [
        ([UpstreamTimeout("late"), UpstreamTimeout("late")], [HAIKU, FLASH, None]),
        ([UpstreamTimeout("late"), UpstreamOverloaded("busy")], [HAIKU, FLASH, None]),
        ([UpstreamOverloaded("busy"), UpstreamTimeout("late")], [HAIKU, FLASH, QWEN]),
    ],
    ids=["twice", "first", "second"],
)
def test_one_other_after_what_may_be_billed(
    policy: FailoverPolicy, errors: list[UpstreamError], order: list[Candidate | None]
) -> None:
    """After a failure that may be billed one other candidate is asked, whatever comes of it."""
    assert asked(policy, *errors)[0] == order


def test_the_client_is_told_why_nobody_else_is_asked(policy: FailoverPolicy) -> None:
    """The error says that further candidates were left out because of the bill, only where there was room for more."""
    _, told = asked(policy, UpstreamTimeout("late"), UpstreamTimeout("late"))
    assert told.endswith("No further model was called: a failed attempt may be billed")
    _, told = asked(policy, *[UpstreamOverloaded("busy")] * 3)
    assert "billed" not in told


def test_escalation_keeps_the_limit(policy: FailoverPolicy) -> None:
    """Better candidates, where an answer will not do, are not asked beyond the one other attempt."""
    attempts = policy.begin(ALL, pinned=False)
    attempts.next()
    attempts.failed(UpstreamTimeout("late"))
    attempts.next()
    attempts.succeeded()
    assert not attempts.escalate((LLAMA,)).open


def test_request_deadline_overrides_the_policys(policy: FailoverPolicy) -> None:
    """A request can have another deadline than the policy's."""
    assert policy.begin(ALL, pinned=False, deadline=1000).remaining == 1000
    assert policy.begin(ALL, pinned=False).remaining == 100
