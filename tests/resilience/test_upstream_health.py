"""Who rests after which failure, and until when."""

from __future__ import annotations

import pytest

from gateway.errors import (
    ContextLengthExceeded,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamError,
    UpstreamModelNotFound,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnreachable,
)
from gateway.resilience import CooldownStarted, UpstreamHealth
from gateway.resilience.upstream_health import MAX_DEPLOYMENTS
from tests.resilience.clocks import Clock

SONNET = ("claude", "sonnet")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen() -> list[CooldownStarted]:
    return []


@pytest.fixture
def upstream_health(clock: Clock, seen: list[CooldownStarted]) -> UpstreamHealth:
    return UpstreamHealth(clock, observe=seen.append)


@pytest.mark.parametrize(
    ("named", "seconds"), [(7.0, 7.0), (1e9, 600.0), (float("inf"), 600.0)], ids=["seconds", "absurd", "infinite"]
)
def test_retry_after_rests_the_model_and_refuses_its_name(
    upstream_health: UpstreamHealth, clock: Clock, named: float, seconds: float
) -> None:
    """A Retry-After cools that model that long, ten minutes at most, and refuses those who name it."""
    upstream_health.failed(*SONNET, UpstreamRateLimited("slow", retry_after=named))
    assert upstream_health.cooling() == {SONNET}
    assert upstream_health.refused_until(*SONNET) == seconds
    assert upstream_health.refused_until("claude", "haiku") is None
    clock.pass_by(seconds)
    assert upstream_health.cooling() == frozenset()
    assert upstream_health.refused_until(*SONNET) is None


@pytest.mark.parametrize("named", [0.0, -5.0, float("nan")])
def test_senseless_retry_after_rests_nothing(upstream_health: UpstreamHealth, named: float) -> None:
    """A Retry-After of no time, or of nonsense, cools nothing."""
    upstream_health.failed(*SONNET, UpstreamRateLimited("slow", retry_after=named))
    assert upstream_health.cooling() == frozenset()


def test_shorter_retry_after_does_not_end_a_longer_one(upstream_health: UpstreamHealth) -> None:
    """A shorter Retry-After does not end a longer one, which the same quota may have named."""
    upstream_health.failed(*SONNET, UpstreamRateLimited("slow", retry_after=60))
    upstream_health.failed(*SONNET, UpstreamRateLimited("slow", retry_after=1))
    assert upstream_health.refused_until(*SONNET) == 60


def test_retry_after_of_an_overload_counts(upstream_health: UpstreamHealth) -> None:
    """An overloaded upstream's Retry-After counts like a quota's."""
    upstream_health.failed(*SONNET, UpstreamOverloaded("busy", retry_after=9))
    assert upstream_health.refused_until(*SONNET) == 9


def test_success_does_not_end_a_quota_rest(upstream_health: UpstreamHealth) -> None:
    """A success does not end a quota's rest: it may have been asked for before."""
    upstream_health.failed(*SONNET, UpstreamRateLimited("slow", retry_after=60))
    upstream_health.succeeded(*SONNET)
    assert upstream_health.refused_until(*SONNET) == 60
    upstream_health.failed("claude", "haiku", UpstreamRateLimited("slow"))
    upstream_health.succeeded("claude", "haiku")
    assert upstream_health.is_cooling_down("claude", "haiku")


def test_quota_without_retry_after_rests_a_doubling_second(upstream_health: UpstreamHealth, clock: Clock) -> None:
    """Without Retry-After a spent quota rests one second, doubling until a success after it; pinned ones are not refused."""
    for seconds in (1, 2, 4):
        upstream_health.failed(*SONNET, UpstreamRateLimited("slow"))
        assert upstream_health.is_cooling_down(*SONNET)
        assert upstream_health.refused_until(*SONNET) is None
        clock.pass_by(seconds)
        assert not upstream_health.is_cooling_down(*SONNET)
    upstream_health.succeeded(*SONNET)
    upstream_health.failed(*SONNET, UpstreamRateLimited("slow"))
    clock.pass_by(1)
    assert not upstream_health.is_cooling_down(*SONNET)


@pytest.mark.parametrize("kind", [UpstreamAuth, UpstreamAccountEmpty])
def test_bad_key_rests_the_whole_provider(
    upstream_health: UpstreamHealth, clock: Clock, kind: type[UpstreamError]
) -> None:
    """A bad key or empty account rests the whole provider for 30 s, doubling to ten minutes; one success clears it."""
    for seconds in (30, 60, 120, 240, 480, 600, 600):
        upstream_health.failed(*SONNET, kind("no"))
        upstream_health.failed("claude", "haiku", kind("no"))
        assert upstream_health.cooling() == {("claude", None)}
        assert upstream_health.is_cooling_down("claude", "opus")
        clock.pass_by(seconds - 0.5)
        assert upstream_health.cooling()
        clock.pass_by(0.5)
        assert not upstream_health.cooling()
    upstream_health.failed(*SONNET, kind("no"))
    upstream_health.succeeded("claude", "haiku")
    assert not upstream_health.cooling()


def test_missing_model_rests_alone(upstream_health: UpstreamHealth, clock: Clock, seen: list[CooldownStarted]) -> None:
    """A model that is not there rests ten minutes, alone, and is known as missing."""
    upstream_health.failed(*SONNET, UpstreamModelNotFound("no such model"))
    upstream_health.failed(*SONNET, UpstreamModelNotFound("no such model"))
    assert upstream_health.cooling() == {SONNET}
    assert upstream_health.missing(*SONNET)
    assert not upstream_health.missing("claude", "haiku")
    assert seen == [CooldownStarted("claude", "sonnet", "model_not_found", 600.0)]
    clock.pass_by(600)
    assert not upstream_health.missing(*SONNET)
    upstream_health.failed(*SONNET, UpstreamModelNotFound("no such model"))
    upstream_health.succeeded(*SONNET)
    assert not upstream_health.is_cooling_down(*SONNET)


@pytest.mark.parametrize("kind", [UpstreamRejected, ContextLengthExceeded])
def test_client_errors_rest_nothing(upstream_health: UpstreamHealth, kind: type[UpstreamError]) -> None:
    """However often a client's request is wrong, nobody rests for it."""
    for _ in range(10):
        upstream_health.failed(*SONNET, kind("bad"))
    assert not upstream_health.cooling()


def test_overload_opens_the_models_breaker_only(
    upstream_health: UpstreamHealth, clock: Clock, seen: list[CooldownStarted]
) -> None:
    """Overloads open that model's breaker, told once; the provider's other models go on."""
    for _ in range(4):
        upstream_health.failed(*SONNET, UpstreamOverloaded("busy"))
    assert upstream_health.cooling() == {SONNET}
    assert upstream_health.broken(*SONNET)
    assert not upstream_health.is_cooling_down("claude", "haiku")
    assert seen == [CooldownStarted("claude", "sonnet", "upstream_overloaded", 5.0)]
    clock.pass_by(5)
    assert not upstream_health.broken(*SONNET)


def test_unreachable_provider_rests_as_a_whole(upstream_health: UpstreamHealth, clock: Clock) -> None:
    """Whatever model was asked for, failing to reach a provider counts against all of it."""
    for model in ("a", "b", "c"):
        upstream_health.failed("claude", model, UpstreamUnreachable("refused"))
    assert upstream_health.cooling() == {("claude", None)}
    clock.pass_by(5)
    upstream_health.acquire_probe("claude", "d")
    assert upstream_health.is_cooling_down("claude", "a")
    upstream_health.release("claude", "d")
    assert not upstream_health.is_cooling_down("claude", "a")


def test_bad_answer_shows_the_provider_is_reachable(upstream_health: UpstreamHealth) -> None:
    """A bad answer is still an answer: the provider can be reached again."""
    for _ in range(3):
        upstream_health.failed(*SONNET, UpstreamUnreachable("refused"))
    upstream_health.failed(*SONNET, UpstreamOverloaded("busy"))
    assert not upstream_health.cooling()


def test_made_up_names_do_not_fill_the_memory() -> None:
    """Names that clients make up do not fill the memory, and without an observer nothing is told."""
    upstream_health = UpstreamHealth(Clock())
    for number in range(MAX_DEPLOYMENTS + 10):
        upstream_health.failed("openrouter", str(number), UpstreamModelNotFound("no such model"))
    assert len(upstream_health.cooling()) == MAX_DEPLOYMENTS
    assert not upstream_health.missing("openrouter", "0")


def test_open_breakers_are_named(upstream_health: UpstreamHealth, clock: Clock) -> None:
    """The pairs whose circuit breaker is open, until its pause ends; a rate limit opens none."""
    upstream_health.failed("claude", "haiku", UpstreamRateLimited("slow"))
    for _ in range(3):
        upstream_health.failed(*SONNET, UpstreamOverloaded("busy"))
    assert upstream_health.open_breakers() == {SONNET}
    clock.pass_by(5.0)
    assert upstream_health.open_breakers() == frozenset()
