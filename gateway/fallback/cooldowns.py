"""Which providers and models rest after failures, and until when; shared by all requests of a process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import UpstreamError
from gateway.fallback.breaker import Breaker, Pause
from gateway.fallback.verdicts import Harm, verdict

LONGEST_RETRY_AFTER = 600.0  # seconds; providers have named absurd ones
MODEL_MISSING = 600.0  # seconds
REMEMBERED = 2000  # deployments; names of models are the clients' to choose


@dataclass(frozen=True, slots=True)
class Cooled:
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

    breaker: Breaker = field(default_factory=Breaker)
    key: Pause = field(default_factory=lambda: Pause(first=30.0, longest=600.0))
    rate: Pause = field(default_factory=lambda: Pause(first=1.0, longest=60.0))
    named_until: float = 0.0
    missing_until: float = 0.0
    unwell: bool = False

    def cooling(self, now: float) -> bool:
        return self.unwell and (
            now < self.named_until
            or now < self.missing_until
            or now < self.rate.until
            or now < self.key.until
            or self.breaker.blocks(now)
        )

    def succeeded(self, now: float) -> None:
        """A quota's rest goes on: the answer may be older than that."""
        self.breaker.succeeded(now)
        if self.unwell:
            self.key.end()
            self.missing_until = 0.0
            if now >= self.rate.until:
                self.rate.end()
            self.unwell = self.cooling(now)


class Cooldowns:
    """`clock` is monotonic seconds; `observe` is told once of each rest that begins."""

    def __init__(self, clock: Callable[[], float], *, observe: Callable[[Cooled], None] | None = None) -> None:
        self._clock = clock
        self._observe = observe
        self._health: OrderedDict[tuple[str, str | None], _Health] = OrderedDict()

    def cooling(self) -> frozenset[tuple[str, str | None]]:
        """(provider, model) pairs to be tried last; model None is the whole provider."""
        now = self._clock()
        return frozenset(key for key, health in self._health.items() if health.cooling(now))

    def rests(self, provider: str, model: str) -> bool:
        """Whether this deployment, or its whole provider, is cooling."""
        now = self._clock()
        return any(health.cooling(now) for health in self._of(provider, model))

    def broken(self, provider: str, model: str) -> bool:
        """Whether a breaker is open on the way to this deployment."""
        now = self._clock()
        return any(health.breaker.blocks(now) for health in self._of(provider, model))

    def missing(self, provider: str, model: str) -> bool:
        """Whether the provider said within the last minutes that it has no such model."""
        health = self._health.get((provider, model))
        return health is not None and self._clock() < health.missing_until

    def refused_until(self, provider: str, model: str) -> float | None:
        """Seconds left of a Retry-After that the provider named for this model; other rests refuse nobody."""
        health = self._health.get((provider, model))
        left = health.named_until - self._clock() if health is not None else 0.0
        return left if left > 0 else None

    def claim(self, provider: str, model: str) -> bool:
        """A request goes there; whether it was cooling. Where a breaker is half-open it is the probe that others wait for."""
        rested = False
        for health in self._of(provider, model):
            if health.unwell:
                now = self._clock()
                rested = rested or health.cooling(now)
                health.breaker.claim(now)
        return rested

    def release(self, provider: str, model: str) -> None:
        """That request ended early and says nothing about the upstream."""
        for health in self._of(provider, model):
            health.breaker.release()

    def succeeded(self, provider: str, model: str) -> None:
        """One success clears the deployment and its provider."""
        now = self._clock()
        self._at(provider, None).succeeded(now)
        self._at(provider, model).succeeded(now)

    def failed(self, provider: str, model: str, error: UpstreamError) -> None:
        harm = verdict(error).harm
        self.release(provider, model)
        if not harm.provider_wide:
            self._reached(provider)
        target = None if harm.provider_wide else model
        seconds = self._rest(self._at(provider, target), harm, error.retry_after)
        if seconds and self._observe is not None:
            self._observe(Cooled(provider, target, error.code or error.type, seconds))

    def _reached(self, provider: str) -> None:
        """It answered, so the way there is open, however bad the answer was."""
        health = self._health.get((provider, None))
        if health is not None:
            health.breaker.succeeded(self._clock())

    def _rest(self, health: _Health, harm: Harm, retry_after: float | None) -> float:
        """Begin what this harm calls for; the seconds it lasts, 0 when nothing new began."""
        now = self._clock()
        if harm is Harm.NOTHING:
            return 0.0
        health.unwell = True
        if harm is Harm.KEY:
            return health.key.begin(now)
        if harm is Harm.MODEL:
            return self._miss(health, now)
        opened = 0.0 if harm is Harm.RATE else health.breaker.failed(now)
        if retry_after is not None:
            return max(opened, self._obey(health, now, retry_after))
        return health.rate.begin(now) if harm is Harm.RATE else opened

    @staticmethod
    def _miss(health: _Health, now: float) -> float:
        news = now >= health.missing_until
        health.missing_until = now + MODEL_MISSING
        return MODEL_MISSING if news else 0.0

    @staticmethod
    def _obey(health: _Health, now: float, retry_after: float) -> float:
        seconds = min(LONGEST_RETRY_AFTER, max(0.0, retry_after))
        news = now >= health.named_until
        health.named_until = max(health.named_until, now + seconds)
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
