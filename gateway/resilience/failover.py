"""The order of attempts for one request, within a deadline, a number of tries and each upstream's retry budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gateway.errors import (
    AllCandidatesFailed,
    GatewayError,
    NoRoute,
    RequestError,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamStaleConnection,
)
from gateway.resilience.circuit_breaker import RollingCounter
from gateway.resilience.failure_classes import FailurePolicy, FailureScope, failure_policy
from gateway.resilience.key_rotation import KeyRotation
from gateway.resilience.upstream_health import UpstreamHealth

NO_MORE = ". No further one was asked: what was tried may be billed"
BACKOFF, LONGEST_BACKOFF = 0.25, 4.0  # seconds, before jitter
SHORT_RETRY_AFTER = 5.0  # seconds; what is asked to wait longer is not asked again by the same request


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may answer; `context_window` in tokens where it is known. `key` is which of the provider's keys asks it."""

    provider: str
    model: str
    context_window: int | None = None
    key: int = field(default=1, compare=False)

    @property
    def full_name(self) -> str:
        """The name clients use."""
        return f"{self.provider}/{self.model}"

    @property
    def deployment(self) -> str:
        """The provider by the key that asks it: `gemini`, with its second key `gemini#2`."""
        return deployment(self.provider, self.key)


def deployment(provider: str, key: int) -> str:
    """A provider's name with one of its keys; the first needs no number."""
    return provider if key == 1 else f"{provider}#{key}"


class RetryBudget:
    """Retries at an upstream: 20 % of its attempts in the last minute, and 3 more."""

    SHARE, FLOOR, SPAN = 0.2, 3, 60.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket_stats: OrderedDict[str, RollingCounter] = OrderedDict()

    def spend(self, provider: str, *, retry: bool) -> None:
        counter = self._bucket_stats.get(provider)
        if counter is None:
            counter = self._bucket_stats[provider] = RollingCounter(self.SPAN)
        counter.add(self._clock(), marked=retry)

    def permits(self, provider: str) -> bool:
        total, retries = (
            self._bucket_stats[provider].counts(self._clock()) if provider in self._bucket_stats else (0, 0)
        )
        return retries < self.SHARE * (total - retries) + self.FLOOR


class FailoverPolicy:
    """Made once a process. `uniform` is that of a `random.Random`; `deadline` is seconds for a request with all its attempts."""

    def __init__(
        self,
        upstream_health: UpstreamHealth,
        *,
        clock: Callable[[], float],
        uniform: Callable[[float, float], float],
        deadline: float = 300.0,
        max_attempts: int = 3,
        turns: KeyRotation | None = None,
    ) -> None:
        self.upstream_health = upstream_health
        self.turns = turns or KeyRotation({}, clock=clock)
        self.budget = RetryBudget(clock)
        self.clock = clock
        self.uniform = uniform
        self.deadline = deadline
        self.max_attempts = max_attempts

    def begin(self, candidates: Sequence[Candidate], *, pinned: bool, deadline: float | None = None) -> AttemptSequence:
        """`candidates` best first. `pinned`: the client named them; they are kept in its order, and cool-downs do not reorder them.

        `deadline` in seconds replaces the policy's.
        """
        return AttemptSequence(
            self, candidates, pinned=pinned, deadline=self.deadline if deadline is None else deadline
        )


class AttemptSequence:
    """One request's attempts.

    The loop is: `next()`, send, then `failed(error)` and wait as long as it says, until an answer begins (`succeeded()`) or
    `next()` gives None (raise `exhausted()`). A stream that breaks later is told by another `failed(error)`. Whoever leaves
    in between calls `abandoned()`.

    After a failure that may be billed all the same (the answer may still be under way at the provider) at most one more
    attempt is made, whatever becomes of that one.
    """

    def __init__(
        self, policy: FailoverPolicy, candidates: Sequence[Candidate], *, pinned: bool, deadline: float
    ) -> None:
        self._policy = policy
        self._candidates = candidates
        self._pinned = pinned
        self._ends = policy.clock() + deadline
        self._most = policy.max_attempts
        self._unsuited: list[RequestError] = []
        self._tried: list[Candidate] = []
        self._overloaded: set[str] = set()
        self._unauthorized: set[str] = set()
        self._unreachable: set[str] = set()
        self._bad_keys: set[tuple[str, int]] = set()
        self._window = 0
        self._rested = False
        self.count = 0
        self.failures: list[tuple[Candidate, UpstreamError]] = []
        self._planned = self._another()

    @property
    def remaining(self) -> float:
        """Seconds until the request's deadline; what an attempt's `total` timeout is bounded by."""
        return self._ends - self._policy.clock()

    def escalate(self, candidates: Sequence[Candidate]) -> AttemptSequence:
        """Attempts at better candidates, where the answer came but will not do; within the same deadline and number of tries."""
        further = AttemptSequence(self._policy, candidates, pinned=False, deadline=self.remaining)
        further.count = self.count
        further._most = self._most
        if self.count >= self._most:
            further._planned = None
        return further

    @property
    def open(self) -> bool:
        """Whether `next()` has somebody to name."""
        return self._planned is not None and self.remaining > 0

    def next(self) -> Candidate | None:
        """Whom to ask now; None when nothing is left to try."""
        candidate, self._planned = self._planned, None
        if candidate is None or self.remaining <= 0:
            return None
        key = self._policy.turns.next(candidate.provider, tried=self._keys_of(candidate.provider))
        if key is not None and key != candidate.key:
            candidate = replace(candidate, key=key)
        self._rested = self._policy.upstream_health.acquire_probe(candidate.provider, candidate.model)
        self._policy.budget.spend(
            candidate.provider, retry=candidate.provider in self._overloaded or candidate in self._tried
        )
        self._tried.append(candidate)
        self.count += 1
        return candidate

    def succeeded(self) -> None:
        """The first meaningful bytes of an answer are here."""
        current = self._tried[-1]
        self._policy.upstream_health.succeeded(current.provider, current.model)
        self._policy.turns.succeeded(current.provider, current.key)

    def abandoned(self) -> None:
        """The client left, or something of our own broke: nothing is learnt of the upstream."""
        for current in self._tried[-1:]:
            self._policy.upstream_health.release(current.provider, current.model)

    def unsupported(self, error: RequestError) -> None:
        """The current candidate cannot even be asked this; it was no attempt, and the next one may suit."""
        self.abandoned()
        self._unsuited.append(error)
        self.count -= 1
        self._planned = self._another()

    def failed(self, error: UpstreamError) -> float:
        """Seconds to wait before `next()`."""
        current = self._tried[-1]
        said = failure_policy(error)
        self.failures.append((current, error))
        # A connection that had been idle was most likely closed before the request arrived, so it does not count as a charge.
        if error.maybe_billed and not isinstance(error, UpstreamStaleConnection):
            self._most = min(self._most, self.count + 1)
        if said.scope is FailureScope.KEY and self._has_another_key(current):
            return 0.0
        self._policy.upstream_health.failed(current.provider, current.model, error)
        self._note(current, said)
        return self._plan(current, said, error)

    def _has_another_key(self, current: Candidate) -> bool:
        """Drop the key that failed; whether the same candidate is asked with another one next."""
        self._bad_keys.add((current.provider, current.key))
        self._policy.turns.failed(current.provider, current.key)
        turns, tried = self._policy.turns, self._keys_of(current.provider)
        if not turns.another(current.provider, tried=tried):
            return False
        self._policy.upstream_health.release(current.provider, current.model)
        self._planned = current if self.count < self._most else None
        return True

    def _keys_of(self, provider: str) -> set[int]:
        """The keys that this request must not use again."""
        return {key for name, key in self._bad_keys if name == provider} if self._bad_keys else set()

    def exhausted(self) -> GatewayError:
        """What the client is told when `next()` gave None."""
        if not self.failures:
            return self._untried()
        last = self.failures[-1][1]
        if self._pinned or failure_policy(last).failover != "any":
            return last
        waits = [error.retry_after for _, error in self.failures if error.retry_after is not None]
        reasons = "; ".join(dict.fromkeys(_reason(*failure) for failure in self.failures))
        limited = self.count >= self._most < self._policy.max_attempts
        return AllCandidatesFailed(
            f"No candidate could answer: {reasons}{NO_MORE if limited else ''}",
            provider=self.failures[-1][0].provider,
            upstream_status=last.upstream_status,
            retry_after=min(waits, default=None),
        )

    def _untried(self) -> GatewayError:
        """Why nobody was asked at all."""
        if self._unsuited:
            return self._unsuited[0]
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
        """Seconds for which a pinned candidate must not be asked; `auto` only tries such ones late."""
        return self._policy.upstream_health.refused_until(candidate.provider, candidate.model) if self._pinned else None

    def _note(self, current: Candidate, said: FailurePolicy) -> None:
        """Remember, for this request, what the failure says about whom to ask next."""
        if said.scope is FailureScope.PROVIDER or (said.scope.is_load_related and current.provider in self._overloaded):
            self._unreachable.add(current.provider)
        if said.scope.is_load_related:
            self._overloaded.add(current.provider)
        if said.scope is FailureScope.KEY:
            self._unauthorized.add(current.provider)
        if said.failover == "larger":
            self._window = max(self._window, current.context_window or 0)

    def _plan(self, current: Candidate, said: FailurePolicy, error: UpstreamError) -> float:
        """Choose who is next; the seconds to wait before."""
        if said.failover == "none" or self.count >= self._most:
            self._planned = None
            return 0.0
        if said.at_once and self._tried.count(current) == 1 and self._policy.budget.permits(current.provider):
            self._planned = current
            return 0.0
        self._planned = self._another()
        if self._planned is not None or not self._may_repeat(current, said, error):
            return 0.0
        wait = self._pause(error.retry_after)
        self._planned = current if wait < self.remaining else None
        return wait if self._planned is not None else 0.0

    def _may_repeat(self, current: Candidate, said: FailurePolicy, error: UpstreamError) -> bool:
        """A deployment that was resting is asked once; a spent quota only when it said how soon it is back."""
        if not said.retry or self._rested or self._policy.upstream_health.broken(current.provider, current.model):
            return False
        if error.retry_after is None and said.scope is FailureScope.RATE:
            return False
        return (error.retry_after or 0.0) <= SHORT_RETRY_AFTER and self._policy.budget.permits(current.provider)

    def _pause(self, retry_after: float | None) -> float:
        """As long as the upstream asked, else exponential with full jitter."""
        if retry_after is not None:
            return max(0.0, retry_after)
        return self._policy.uniform(0.0, min(LONGEST_BACKOFF, BACKOFF * 2**self.count))

    def _another(self) -> Candidate | None:
        """The best of those not asked yet."""
        best, lowest = None, 0
        for candidate in filter(self._suits, self._candidates):
            rank = 0 if self._pinned else self._rank(candidate)
            if rank == 0:
                return candidate
            if best is None or rank < lowest:
                best, lowest = candidate, rank
        return best

    def _suits(self, candidate: Candidate) -> bool:
        if candidate in self._tried or candidate.provider in self._unauthorized or self._refused(candidate) is not None:
            return False
        if self._window and candidate.context_window is not None and candidate.context_window <= self._window:
            return False
        return candidate.provider not in self._overloaded or self._policy.budget.permits(candidate.provider)

    def _rank(self, candidate: Candidate) -> int:
        """Healthy ones first, of another provider first; then the resting; a model that is not there last."""
        upstream_health = self._policy.upstream_health
        if upstream_health.missing(candidate.provider, candidate.model):
            return 4
        if candidate.provider in self._unreachable:
            return 3
        if upstream_health.is_cooling_down(candidate.provider, candidate.model):
            return 2
        return 1 if candidate.provider in self._overloaded else 0


def _reason(candidate: Candidate, error: UpstreamError) -> str:
    """One candidate's failure for the client: no words of the provider's about keys or accounts."""
    words = error.message if error.shows_detail else error.code or error.type
    return f"{candidate.full_name}: {words[:200]}"
