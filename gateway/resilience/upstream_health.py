"""Cooldowns of providers and models after failures; shared by all requests of a process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import UpstreamError
from gateway.resilience.circuit_breaker import CircuitBreaker, ExponentialBackoff
from gateway.resilience.failure_classes import FailureScope, failure_policy

LONGEST_RETRY_AFTER = 600.0  # seconds; some providers send absurd values
MODEL_MISSING = 600.0  # seconds
MAX_DEPLOYMENTS = 2000  # deployments; a limit, since clients choose the names of models


@dataclass(frozen=True, slots=True)
class CooldownStarted:
    """A cooldown of `seconds` began, of one model or of the whole provider (`model` is None), after an error with `code`."""

    provider: str
    model: str | None
    code: str
    seconds: float


@dataclass(slots=True)
class _Health:
    """The health of a deployment, or of a provider. Times are monotonic seconds.

    It is `degraded` from a failure until a success after which nothing is cooling down; the other members matter only then.
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
        """Clear everything but a rate limit's cooldown, which may be younger than the answer."""
        self.circuit_breaker.succeeded(now)
        if self.degraded:
            self.key.reset()
            self.missing_until = 0.0
            if now >= self.rate.until:
                self.rate.reset()
            self.degraded = self.cooling(now)


class UpstreamHealth:
    """`clock` is monotonic seconds; `observe` is called once for each cooldown that begins."""

    def __init__(self, clock: Callable[[], float], *, observe: Callable[[CooldownStarted], None] | None = None) -> None:
        self._clock = clock
        self._observe = observe
        self._health: OrderedDict[tuple[str, str | None], _Health] = OrderedDict()

    def cooling(self) -> frozenset[tuple[str, str | None]]:
        """The (provider, model) pairs that are cooling down; model None is the whole provider."""
        now = self._clock()
        return frozenset(key for key, health in self._health.items() if health.cooling(now))

    def open_breakers(self) -> frozenset[tuple[str, str | None]]:
        """The pairs, as in `cooling`, whose circuit breaker is open."""
        now = self._clock()
        return frozenset(key for key, health in self._health.items() if health.circuit_breaker.is_open(now))

    def is_cooling_down(self, provider: str, model: str) -> bool:
        """Whether this deployment, or its whole provider, is cooling down."""
        now = self._clock()
        return any(health.cooling(now) for health in self._of(provider, model))

    def broken(self, provider: str, model: str) -> bool:
        """Whether the circuit breaker of the deployment or of its provider is open."""
        now = self._clock()
        return any(health.circuit_breaker.is_open(now) for health in self._of(provider, model))

    def missing(self, provider: str, model: str) -> bool:
        """Whether the provider answered within the last MODEL_MISSING seconds that it has no such model."""
        health = self._health.get((provider, model))
        return health is not None and self._clock() < health.missing_until

    def refused_until(self, provider: str, model: str) -> float | None:
        """Seconds left of the provider's Retry-After for this model; None without one. Other cooldowns refuse no request."""
        health = self._health.get((provider, model))
        left = health.retry_after_until - self._clock() if health is not None else 0.0
        return left if left > 0 else None

    def acquire_probe(self, provider: str, model: str) -> bool:
        """Note that a request is sent; if a breaker is half-open, the request is its probe. Returns whether it was cooling down."""
        was_cooling = False
        for health in self._of(provider, model):
            if health.degraded:
                now = self._clock()
                was_cooling = was_cooling or health.cooling(now)
                health.circuit_breaker.acquire_probe(now)
        return was_cooling

    def release(self, provider: str, model: str) -> None:
        """The request ended without a result for the upstream's health."""
        for health in self._of(provider, model):
            health.circuit_breaker.release()

    def succeeded(self, provider: str, model: str) -> None:
        """A request was answered: clear the deployment and its provider."""
        now = self._clock()
        self._at(provider, None).succeeded(now)
        self._at(provider, model).succeeded(now)

    def failed(self, provider: str, model: str, error: UpstreamError) -> None:
        scope = failure_policy(error).scope
        self.release(provider, model)
        if not scope.provider_wide:
            self._reached(provider)
        target = None if scope.provider_wide else model
        seconds = self._cool_down(self._at(provider, target), scope, error.retry_after)
        if seconds and self._observe is not None:
            self._observe(CooldownStarted(provider, target, error.code or error.type, seconds))

    def _reached(self, provider: str) -> None:
        """The provider responded, so it is reachable, whatever the response was."""
        health = self._health.get((provider, None))
        if health is not None:
            health.circuit_breaker.succeeded(self._clock())

    def _cool_down(self, health: _Health, scope: FailureScope, retry_after: float | None) -> float:
        """Start the cooldown for this scope; returns its seconds, 0 if no new one started."""
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
        is_new = now >= health.missing_until
        health.missing_until = now + MODEL_MISSING
        return MODEL_MISSING if is_new else 0.0

    @staticmethod
    def _apply_retry_after(health: _Health, now: float, retry_after: float) -> float:
        seconds = min(LONGEST_RETRY_AFTER, max(0.0, retry_after))
        is_new = now >= health.retry_after_until
        health.retry_after_until = max(health.retry_after_until, now + seconds)
        return seconds if is_new else 0.0

    def _of(self, provider: str, model: str) -> list[_Health]:
        deployment, shared = self._health.get((provider, model)), self._health.get((provider, None))
        return [health for health in (shared, deployment) if health is not None]

    def _at(self, provider: str, model: str | None) -> _Health:
        health = self._health.get((provider, model))
        if health is None:
            health = self._health[provider, model] = _Health()
            if len(self._health) > MAX_DEPLOYMENTS:
                self._health.popitem(last=False)
        else:
            self._health.move_to_end((provider, model))
        return health
