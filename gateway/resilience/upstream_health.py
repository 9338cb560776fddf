"""Which providers and models rest after failures, and until when; shared by all requests of a process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import UpstreamError
from gateway.resilience.circuit_breaker import CircuitBreaker, ExponentialBackoff
from gateway.resilience.failure_classes import FailureScope, failure_policy

LONGEST_RETRY_AFTER = 600.0  # seconds; providers have named absurd ones
MODEL_MISSING = 600.0  # seconds
REMEMBERED = 2000  # deployments; names of models are the clients' to choose


@dataclass(frozen=True, slots=True)
class CooldownStarted:
    """A rest began: of one model, or of the whole provider (`model` None). `code` is the error's, `seconds` how long."""

    provider: str
    model: str | None
    code: str
    seconds: float


@dataclass(slots=True)
class _Health:
    """What is known of one deployment, or of a provider. Times are by the monotonic clock.

    Nothing of it rests unless it is `unwell`: from a failure until a success finds it well again.
    """

    circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    key: ExponentialBackoff = field(default_factory=lambda: ExponentialBackoff(first=30.0, longest=600.0))
    rate: ExponentialBackoff = field(default_factory=lambda: ExponentialBackoff(first=1.0, longest=60.0))
    retry_after_until: float = 0.0
    missing_until: float = 0.0
    degraded: bool = False

    def cooling(self, now: float) -> bool:
        return self.degraded and (
            now < self.retry_after_until
            or now < self.missing_until
            or now < self.rate.until
            or now < self.key.until
            or self.circuit_breaker.is_open(now)
        )

    def succeeded(self, now: float) -> None:
        """A quota's rest goes on: the answer may be older than that."""
        self.circuit_breaker.succeeded(now)
        if self.degraded:
            self.key.reset()
            self.missing_until = 0.0
            if now >= self.rate.until:
                self.rate.reset()
            self.degraded = self.cooling(now)


class UpstreamHealth:
    """`clock` is monotonic seconds; `observe` is told once of each rest that begins."""

    def __init__(self, clock: Callable[[], float], *, observe: Callable[[CooldownStarted], None] | None = None) -> None:
        self._clock = clock
        self._observe = observe
        self._health: OrderedDict[tuple[str, str | None], _Health] = OrderedDict()

    def cooling(self) -> frozenset[tuple[str, str | None]]:
        """(provider, model) pairs to be tried last; model None is the whole provider."""
        now = self._clock()
        return frozenset(key for key, health in self._health.items() if health.cooling(now))

    def is_cooling_down(self, provider: str, model: str) -> bool:
        """Whether this deployment, or its whole provider, is cooling."""
        now = self._clock()
        return any(health.cooling(now) for health in self._of(provider, model))

    def broken(self, provider: str, model: str) -> bool:
        """Whether a breaker is open on the way to this deployment."""
        now = self._clock()
        return any(health.circuit_breaker.is_open(now) for health in self._of(provider, model))

    def missing(self, provider: str, model: str) -> bool:
        """Whether the provider said within the last minutes that it has no such model."""
        health = self._health.get((provider, model))
        return health is not None and self._clock() < health.missing_until

    def refused_until(self, provider: str, model: str) -> float | None:
        """Seconds left of a Retry-After that the provider named for this model; other rests refuse nobody."""
        health = self._health.get((provider, model))
        left = health.retry_after_until - self._clock() if health is not None else 0.0
        return left if left > 0 else None

    def acquire_probe(self, provider: str, model: str) -> bool:
        """A request goes there; whether it was cooling. Where a breaker is half-open it is the probe that others wait for."""
        rested = False
        for health in self._of(provider, model):
            if health.degraded:
                now = self._clock()
                rested = rested or health.cooling(now)
                health.circuit_breaker.acquire_probe(now)
        return rested

    def release(self, provider: str, model: str) -> None:
        """That request ended early and says nothing about the upstream."""
        for health in self._of(provider, model):
            health.circuit_breaker.release()

    def succeeded(self, provider: str, model: str) -> None:
        """One success clears the deployment and its provider."""
        now = self._clock()
        self._at(provider, None).succeeded(now)
        self._at(provider, model).succeeded(now)

    def failed(self, provider: str, model: str, error: UpstreamError) -> None:
        scope = failure_policy(error).scope
        self.release(provider, model)
        if not scope.provider_wide:
            self._reached(provider)
        target = None if scope.provider_wide else model
        seconds = self._rest(self._at(provider, target), scope, error.retry_after)
        if seconds and self._observe is not None:
            self._observe(CooldownStarted(provider, target, error.code or error.type, seconds))

    def _reached(self, provider: str) -> None:
        """It answered, so the way there is open, however bad the answer was."""
        health = self._health.get((provider, None))
        if health is not None:
            health.circuit_breaker.succeeded(self._clock())

    def _rest(self, health: _Health, scope: FailureScope, retry_after: float | None) -> float:
        """Begin what this harm calls for; the seconds it lasts, 0 when nothing new began."""
        now = self._clock()
        if scope is FailureScope.NOTHING:
            return 0.0
        health.degraded = True
        if scope is FailureScope.KEY:
            return health.key.start(now)
        if scope is FailureScope.MODEL:
            return self._mark_missing(health, now)
        opened = 0.0 if scope is FailureScope.RATE else health.circuit_breaker.failed(now)
        if retry_after is not None:
            return max(opened, self._apply_retry_after(health, now, retry_after))
        return health.rate.start(now) if scope is FailureScope.RATE else opened

    @staticmethod
    def _mark_missing(health: _Health, now: float) -> float:
        news = now >= health.missing_until
        health.missing_until = now + MODEL_MISSING
        return MODEL_MISSING if news else 0.0

    @staticmethod
    def _apply_retry_after(health: _Health, now: float, retry_after: float) -> float:
        seconds = min(LONGEST_RETRY_AFTER, max(0.0, retry_after))
        news = now >= health.retry_after_until
        health.retry_after_until = max(health.retry_after_until, now + seconds)
        return seconds if news else 0.0

    def _of(self, provider: str, model: str) -> list[_Health]:
        own, shared = self._health.get((provider, model)), self._health.get((provider, None))
        return [health for health in (shared, own) if health is not None]

    def _at(self, provider: str, model: str | None) -> _Health:
        health = self._health.get((provider, model))
        if health is None:
            health = self._health[provider, model] = _Health()
            if len(self._health) > REMEMBERED:
                self._health.popitem(last=False)
        else:
            self._health.move_to_end((provider, model))
        return health
