"""What one failure rules out among a request's other candidates, as a value."""

from __future__ import annotations

import pytest

from gateway.errors import (
    ContextLengthExceeded,
    UpstreamAuth,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamUnreachable,
)
from gateway.resilience import Candidate, failure_policy
from gateway.resilience.exclusions import NO_EXCLUSIONS, Exclusions

FAILED = Candidate("gemini", "flash", 8_000)
GEMINI = frozenset({"gemini"})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UpstreamRejected("no"), NO_EXCLUSIONS),
        (UpstreamOverloaded("busy"), Exclusions(overloaded=GEMINI)),
        (UpstreamUnreachable("gone"), Exclusions(overloaded=GEMINI, unreachable=GEMINI)),
        (UpstreamAuth("key"), Exclusions(overloaded=GEMINI, unauthorized=GEMINI)),
        (ContextLengthExceeded("long"), Exclusions(window=8_000)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failure_excludes_what_shares_its_cause(error: UpstreamError, expected: Exclusions) -> None:
    """A failure rules out or moves back the candidates that would fail for the same reason, and no others."""
    assert NO_EXCLUSIONS.after(FAILED, failure_policy(error)) == expected


def test_second_overload_makes_the_provider_unreachable() -> None:
    """A provider that is overloaded twice within a request is tried after those that only cool down."""
    rule = failure_policy(UpstreamOverloaded("busy"))
    once = NO_EXCLUSIONS.after(FAILED, rule)
    assert once.unreachable == frozenset()
    assert once.after(Candidate("gemini", "pro"), rule).unreachable == GEMINI


def test_failed_keys_are_those_of_their_provider() -> None:
    """A key that failed is known by its provider and number, and later failures do not forget it."""
    found = NO_EXCLUSIONS.without_key(Candidate("gemini", "flash", key=2))
    found = found.after(FAILED, failure_policy(UpstreamOverloaded("busy")))
    assert (found.keys_of("gemini"), found.keys_of("claude")) == (frozenset({2}), frozenset())
    assert NO_EXCLUSIONS.keys_of("gemini") == frozenset()


@pytest.mark.parametrize(
    ("candidate", "excluded"),
    [
        (Candidate("claude", "any"), True),
        (Candidate("gemini", "same window", 8_000), True),
        (Candidate("gemini", "larger", 8_001), False),
        (Candidate("gemini", "unknown window"), False),
    ],
    ids=["key refused", "window as small", "larger window", "unknown window"],
)
def test_candidates_that_cannot_succeed_are_excluded(candidate: Candidate, excluded: bool) -> None:
    """A refused key excludes its provider, and a too long prompt every context window known to be no larger."""
    found = Exclusions(unauthorized=frozenset({"claude"}), window=8_000)
    assert found.exclude(candidate) is excluded
    assert not NO_EXCLUSIONS.exclude(candidate)
