"""Attempts at better models after an answer that is not good enough."""

from __future__ import annotations

from gateway.catalog.catalog import Catalog, Model
from gateway.errors import UpstreamOverloaded, UpstreamRejected, UpstreamUnreachable
from gateway.resilience import Candidate, Cascade, FailoverPolicy, UpstreamHealth
from tests.resilience.clocks import Clock

WEAK = Candidate("gemini", "flash")
BETTER = Candidate("claude", "haiku")
ALSO = Candidate("openrouter", "glm")


def made(clock: Clock, *, max_attempts: int = 3) -> FailoverPolicy:
    return FailoverPolicy(
        UpstreamHealth(clock), clock=clock, uniform=lambda low, high: high, deadline=100, max_attempts=max_attempts
    )


def test_escalation_asks_better_candidates_in_order() -> None:
    """The better candidates are asked in their order, within the number of tries that is left."""
    attempts = made(Clock()).begin([WEAK], pinned=False)
    assert attempts.next() == WEAK
    attempts.succeeded()
    better = attempts.escalate([BETTER, ALSO])
    assert better.open
    assert better.next() == BETTER
    assert not better.open
    better.failed(UpstreamUnreachable("refused"))
    assert better.next() == ALSO
    assert better.count == 3
    better.failed(UpstreamOverloaded("busy"))
    assert better.next() is None


def test_escalation_needs_a_try_left() -> None:
    """Who has spent all tries does not escalate; neither does who has nobody better."""
    attempts = made(Clock(), max_attempts=1).begin([WEAK], pinned=False)
    attempts.next()
    assert not attempts.escalate([BETTER]).open
    assert not made(Clock()).begin([WEAK], pinned=False).escalate([]).open


def test_escalation_keeps_the_deadline() -> None:
    """The deadline is that of the request, not a new one."""
    clock = Clock()
    attempts = made(clock).begin([WEAK], pinned=False)
    attempts.next()
    clock.now += 99
    better = attempts.escalate([BETTER])
    assert better.remaining == 1
    clock.now += 2
    assert not better.open


def test_the_next_tier() -> None:
    """It is the nearest one above; nothing is above the highest, nor above a model that is not listed."""
    tiers = {"a": "simple", "b": "complex", "c": "moderate", "d": "complex"}
    cascade = Cascade(Catalog([Model("p", name, tier, 1.0, 1.0) for name, tier in tiers.items()]))  # type: ignore[arg-type]  # the dict's strings are tiers
    a, b, c, d, unlisted = (Candidate("p", name) for name in ("a", "b", "c", "d", "x"))
    assert cascade.next_tier(("p", "a"), [a, b, c, d, unlisted]) == (c,)
    assert cascade.next_tier(("p", "a"), [a, b, d]) == (b, d)
    assert cascade.next_tier(("p", "b"), [b, a]) == ()
    assert cascade.next_tier(("p", "x"), [unlisted, b]) == ()


def test_attempt_alone_counts_and_is_not_made_again() -> None:
    """Two calls at once are two attempts; after both fail, what was not called is left."""
    attempts = made(Clock()).begin([WEAK, BETTER, ALSO], pinned=False)
    alone = [attempts.alone(candidate) for candidate in (WEAK, BETTER)]
    for each in alone:
        assert each.next() is not None
        each.failed(UpstreamOverloaded("busy"))
        assert each.next() is None
    attempts.absorb(alone)
    assert attempts.next() == ALSO
    assert (attempts.count, len(attempts.failures)) == (3, 2)


def test_escalation_after_two_alone_has_one_try() -> None:
    """The limit is that of the request."""
    attempts = made(Clock()).begin([WEAK, BETTER, ALSO], pinned=False)
    for each in [attempts.alone(candidate) for candidate in (WEAK, BETTER)]:
        each.next()
        each.succeeded()
    better = attempts.escalate((ALSO,))
    assert better.next() == ALSO
    better.failed(UpstreamOverloaded("busy"))
    assert better.next() is None


def test_failures_that_no_other_can_mend_end_the_attempts() -> None:
    """A request that a provider rejects, and too many attempts, leave nothing to try."""
    for error, max_attempts in ((UpstreamRejected("no"), 3), (UpstreamOverloaded("busy"), 2)):
        attempts = made(Clock(), max_attempts=max_attempts).begin([WEAK, BETTER, ALSO], pinned=False)
        alone = [attempts.alone(candidate) for candidate in (WEAK, BETTER)]
        for each in alone:
            each.next()
            each.failed(error)
        attempts.absorb(alone)
        assert attempts.next() is None
