"""Chooses the attempts of one request: their order, and their limits (a deadline, a number of tries, each upstream's retry budget)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.errors import (
    AllCandidatesFailed,
    GatewayError,
    NoRoute,
    RequestError,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamStaleConnection,
)
from gateway.resilience.candidates import Candidate
from gateway.resilience.exclusions import NO_EXCLUSIONS
from gateway.resilience.failure_classes import FailurePolicy, FailureScope, failure_policy
from gateway.resilience.key_rotation import KeyRotation
from gateway.resilience.retry_budget import RetryBudget
from gateway.resilience.upstream_health import UpstreamHealth

NO_MORE = ". No further model was called: a failed attempt may be billed"
BACKOFF, LONGEST_BACKOFF = 0.25, 4.0  # seconds, before jitter
SHORT_RETRY_AFTER = 5.0  # seconds; a request does not wait longer than this for the same upstream


class FailoverPolicy:
    """The rules that all requests share; one per process.

    `clock` is monotonic seconds, `uniform` the method of a `random.Random`, `deadline` seconds for a request with all its
    attempts.
    """

    def __init__(
        self,
        upstream_health: UpstreamHealth,
        *,
        clock: Callable[[], float],
        uniform: Callable[[float, float], float],
        deadline: float = 300.0,
        max_attempts: int = 3,
        key_rotation: KeyRotation | None = None,
    ) -> None:
        self.upstream_health = upstream_health
        self.key_rotation = key_rotation or KeyRotation({}, clock=clock)
        self.budget = RetryBudget(clock)
        self.clock = clock
        self.uniform = uniform
        self.deadline = deadline
        self.max_attempts = max_attempts

    def begin(self, candidates: Sequence[Candidate], *, pinned: bool, deadline: float | None = None) -> AttemptSequence:
        """Start the attempts of a request; `candidates` are best first, `deadline` (seconds) replaces the policy's.

        `pinned` candidates were named by the client: their order is kept, whether they are cooling down or not.
        """
        seconds = self.deadline if deadline is None else deadline
        return AttemptSequence(
            self, candidates, pinned=pinned, deadline=self.clock() + seconds, max_attempts=self.max_attempts
        )


class AttemptSequence:
    """The attempts of one request.

    The caller repeats `next()`, send, `failed(error)` and a wait of the returned seconds, until an answer begins
    (`succeeded()`) or `next()` returns None (raise `exhausted()`). A stream that breaks later is one more `failed(error)`.
    A caller that stops in between calls `abandoned()`.

    After a failure that may be billed (the provider may still be writing the answer) at most one more attempt is made,
    whatever its result.
    """

    def __init__(
        self,
        policy: FailoverPolicy,
        candidates: Sequence[Candidate],
        *,
        pinned: bool,
        deadline: float,
        max_attempts: int,
        count: int = 0,
    ) -> None:
        """`deadline` is a time of the policy's clock; `count` attempts of `max_attempts` were made already."""
        self._policy = policy
        self._candidates = candidates
        self._pinned = pinned
        self._deadline = deadline
        self._max_attempts = max_attempts
        self._unsupported: list[RequestError] = []
        self._tried: list[Candidate] = []
        self._exclusions = NO_EXCLUSIONS
        self._was_cooling = False
        self.count = count
        self.failures: list[tuple[Candidate, UpstreamError]] = []
        self._next = self._best_untried() if count < max_attempts else None

    @property
    def remaining(self) -> float:
        """Seconds until the request's deadline; what an attempt's `total` timeout is bounded by."""
        return self._deadline - self._policy.clock()

    def escalate(self, candidates: Sequence[Candidate]) -> AttemptSequence:
        """Further attempts, at better candidates, after an answer that is not good enough; the limits stay the same."""
        return AttemptSequence(
            self._policy,
            candidates,
            pinned=False,
            deadline=self._deadline,
            max_attempts=self._max_attempts,
            count=self.count,
        )

    def alone(self, candidate: Candidate) -> AttemptSequence:
        """One attempt at one candidate, beside another one. It counts among these attempts, which do not call the candidate again."""
        self._tried.append(candidate)
        self.count += 1
        return AttemptSequence(self._policy, (candidate,), pinned=False, deadline=self._deadline, max_attempts=1)

    def absorb(self, others: Sequence[AttemptSequence]) -> None:
        """Take over the failures of attempts made `alone`, as if they were these; `next()` then returns what is left to try."""
        final = False
        for other in others:
            self.failures += other.failures
            self._unsupported += other._unsupported
            for candidate, error in other.failures:
                rule = failure_policy(error)
                self._exclusions = self._exclusions.after(candidate, rule)
                self._limit_after(error)
                final = final or rule.failover == "none"
        self._next = None if final or self.count >= self._max_attempts else self._best_untried()

    @property
    def open(self) -> bool:
        """Whether `next()` would return a candidate."""
        return self._next is not None and self.remaining > 0

    def next(self) -> Candidate | None:
        """The candidate to call now; None when nothing is left to try."""
        candidate, self._next = self._next, None
        if candidate is None or self.remaining <= 0:
            return None
        key = self._policy.key_rotation.next(candidate.provider, tried=self._exclusions.keys_of(candidate.provider))
        if key is not None and key != candidate.key:
            candidate = replace(candidate, key=key)
        self._was_cooling = self._policy.upstream_health.acquire_probe(candidate.provider, candidate.model)
        self._policy.budget.spend(
            candidate.provider, retry=candidate.provider in self._exclusions.overloaded or candidate in self._tried
        )
        self._tried.append(candidate)
        self.count += 1
        return candidate

    def succeeded(self) -> None:
        """The first meaningful bytes of an answer arrived."""
        current = self._tried[-1]
        self._policy.upstream_health.succeeded(current.provider, current.model)
        self._policy.key_rotation.succeeded(current.provider, current.key)

    def abandoned(self) -> None:
        """The attempt ended for another reason than the upstream (the client left, a bug): its health is not changed."""
        for current in self._tried[-1:]:
            self._policy.upstream_health.release(current.provider, current.model)

    def unsupported(self, error: RequestError) -> None:
        """The current candidate's dialect cannot express the request. This is not counted as an attempt."""
        self.abandoned()
        self._unsupported.append(error)
        self.count -= 1
        self._next = self._best_untried()

    def failed(self, error: UpstreamError) -> float:
        """Record the failure of the current attempt and choose the next one; returns the seconds to wait before `next()`."""
        current = self._tried[-1]
        rule = failure_policy(error)
        self.failures.append((current, error))
        self._limit_after(error)
        if rule.scope is FailureScope.KEY and self._has_another_key(current):
            return 0.0
        self._policy.upstream_health.failed(current.provider, current.model, error)
        self._exclusions = self._exclusions.after(current, rule)
        return self._choose_next(current, rule, error)

    def _limit_after(self, error: UpstreamError) -> None:
        """One more attempt at most after one that may be billed."""
        # An idle connection was most likely closed before the request arrived, so the attempt does not count as billed.
        if error.maybe_billed and not isinstance(error, UpstreamStaleConnection):
            self._max_attempts = min(self._max_attempts, self.count + 1)

    def _has_another_key(self, current: Candidate) -> bool:
        """Drop the key that failed; True if the same candidate is called next with another key."""
        self._exclusions = self._exclusions.without_key(current)
        rotation = self._policy.key_rotation
        rotation.failed(current.provider, current.key)
        if not rotation.another(current.provider, tried=self._exclusions.keys_of(current.provider)):
            return False
        self._policy.upstream_health.release(current.provider, current.model)
        self._next = current if self.count < self._max_attempts else None
        return True

    def exhausted(self) -> GatewayError:
        """The client's error after `next()` returned None."""
        if not self.failures:
            return self._untried()
        last = self.failures[-1][1]
        if self._pinned or failure_policy(last).failover != "any":
            return last
        waits = [error.retry_after for _, error in self.failures if error.retry_after is not None]
        reasons = "; ".join(dict.fromkeys(_reason(*failure) for failure in self.failures))
        limited = self.count >= self._max_attempts < self._policy.max_attempts
        return AllCandidatesFailed(
            f"No candidate could answer: {reasons}{NO_MORE if limited else ''}",
            provider=self.failures[-1][0].provider,
            upstream_status=last.upstream_status,
            retry_after=min(waits, default=None),
        )

    def _untried(self) -> GatewayError:
        """The error when no candidate was called at all."""
        if self._unsupported:
            return self._unsupported[0]
        refused = [
            (wait, candidate) for candidate in self._candidates if (wait := self._refused(candidate)) is not None
        ]
        if not refused:
            return NoRoute("No model can serve this request.")
        wait, candidate = min(refused, key=lambda pair: pair[0])
        return UpstreamRateLimited(
            f"{candidate.provider} asked for no more requests to {candidate.model} for {wait:.0f} s.",
            provider=candidate.provider,
            retry_after=wait,
        )

    def _refused(self, candidate: Candidate) -> float | None:
        """Seconds until a pinned candidate may be called again, None if now. Under `auto` such candidates are tried last instead."""
        return self._policy.upstream_health.refused_until(candidate.provider, candidate.model) if self._pinned else None

    def _choose_next(self, current: Candidate, rule: FailurePolicy, error: UpstreamError) -> float:
        """Choose the next candidate; returns the seconds to wait before it is called."""
        if rule.failover == "none" or self.count >= self._max_attempts:
            self._next = None
            return 0.0
        if rule.at_once and self._tried.count(current) == 1 and self._policy.budget.permits(current.provider):
            self._next = current
            return 0.0
        self._next = self._best_untried()
        if self._next is not None or not self._may_repeat(current, rule, error):
            return 0.0
        wait = self._backoff(error.retry_after)
        self._next = current if wait < self.remaining else None
        return wait if self._next is not None else 0.0

    def _may_repeat(self, current: Candidate, rule: FailurePolicy, error: UpstreamError) -> bool:
        """Whether to call the same deployment again.

        Not if it was cooling down before the attempt, nor after a rate limit without a Retry-After.
        """
        if not rule.retry or self._was_cooling or self._policy.upstream_health.broken(current.provider, current.model):
            return False
        if error.retry_after is None and rule.scope is FailureScope.RATE:
            return False
        return (error.retry_after or 0.0) <= SHORT_RETRY_AFTER and self._policy.budget.permits(current.provider)

    def _backoff(self, retry_after: float | None) -> float:
        """The upstream's Retry-After, else exponential backoff with full jitter; seconds."""
        if retry_after is not None:
            return max(0.0, retry_after)
        return self._policy.uniform(0.0, min(LONGEST_BACKOFF, BACKOFF * 2**self.count))

    def _best_untried(self) -> Candidate | None:
        """The best candidate that was not called yet."""
        best, lowest = None, 0
        for candidate in self._candidates:
            if not self._is_eligible(candidate):
                continue
            rank = 0 if self._pinned else self._rank(candidate)
            if rank == 0:
                return candidate
            if best is None or rank < lowest:
                best, lowest = candidate, rank
        return best

    def _is_eligible(self, candidate: Candidate) -> bool:
        if candidate in self._tried or self._refused(candidate) is not None or self._exclusions.exclude(candidate):
            return False
        return candidate.provider not in self._exclusions.overloaded or self._policy.budget.permits(candidate.provider)

    def _rank(self, candidate: Candidate) -> int:
        """Order of trying, lowest first: healthy and not overloaded, overloaded, cooling down, unreachable, missing model."""
        upstream_health = self._policy.upstream_health
        if upstream_health.missing(candidate.provider, candidate.model):
            return 4
        if candidate.provider in self._exclusions.unreachable:
            return 3
        if upstream_health.is_cooling_down(candidate.provider, candidate.model):
            return 2
        return 1 if candidate.provider in self._exclusions.overloaded else 0


def _reason(candidate: Candidate, error: UpstreamError) -> str:
    """One candidate's failure as the client may read it: without the provider's text about keys or accounts."""
    detail = error.message if error.shows_detail else error.code or error.type
    return f"{candidate.full_name}: {detail[:200]}"
