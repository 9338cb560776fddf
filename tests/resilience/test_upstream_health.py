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
from gateway.resilience.upstream_health import REMEMBERED
from tests.resilience.clocks import Clock

SONNET = ("claude", "sonnet")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen() -> list[CooldownStarted]:
    return []


@pytest.fixture
def cooldowns(clock: Clock, seen: list[CooldownStarted]) -> UpstreamHealth:
    return UpstreamHealth(clock, observe=seen.append)


@pytest.mark.parametrize(
    ("named", "seconds"), [(7.0, 7.0), (1e9, 600.0), (float("inf"), 600.0)], ids=["seconds", "absurd", "infinite"]
)
def test_named_rest(cooldowns: UpstreamHealth, clock: Clock, named: float, seconds: float) -> None:
    """A Retry-After cools that model that long, ten minutes at most, and refuses those who name it."""
    cooldowns.failed(*SONNET, UpstreamRateLimited("slow", retry_after=named))
    assert cooldowns.cooling() == {SONNET}
    assert cooldowns.refused_until(*SONNET) == seconds
    assert cooldowns.refused_until("claude", "haiku") is None
    clock.pass_by(seconds)
    assert cooldowns.cooling() == frozenset()
    assert cooldowns.refused_until(*SONNET) is None


@pytest.mark.parametrize("named", [0.0, -5.0, float("nan")])
def test_no_time_named(cooldowns: UpstreamHealth, named: float) -> None:
    """A Retry-After of no time, or of nonsense, cools nothing."""
    cooldowns.failed(*SONNET, UpstreamRateLimited("slow", retry_after=named))
    assert cooldowns.cooling() == frozenset()


def test_shorter_word_later(cooldowns: UpstreamHealth) -> None:
    """A shorter Retry-After does not end a longer one, which the same quota may have named."""
    cooldowns.failed(*SONNET, UpstreamRateLimited("slow", retry_after=60))
    cooldowns.failed(*SONNET, UpstreamRateLimited("slow", retry_after=1))
    assert cooldowns.refused_until(*SONNET) == 60


def test_named_by_an_overloaded_one(cooldowns: UpstreamHealth) -> None:
    """An overloaded upstream's Retry-After counts like a quota's."""
    cooldowns.failed(*SONNET, UpstreamOverloaded("busy", retry_after=9))
    assert cooldowns.refused_until(*SONNET) == 9


def test_answer_under_way(cooldowns: UpstreamHealth) -> None:
    """A success does not end a quota's rest: it may have been asked for before."""
    cooldowns.failed(*SONNET, UpstreamRateLimited("slow", retry_after=60))
    cooldowns.succeeded(*SONNET)
    assert cooldowns.refused_until(*SONNET) == 60
    cooldowns.failed("claude", "haiku", UpstreamRateLimited("slow"))
    cooldowns.succeeded("claude", "haiku")
    assert cooldowns.is_cooling_down("claude", "haiku")


def test_quota_without_a_time(cooldowns: UpstreamHealth, clock: Clock) -> None:
    """Without Retry-After a spent quota rests one second, doubling until a success after it; pinned ones are not refused."""
    for seconds in (1, 2, 4):
        cooldowns.failed(*SONNET, UpstreamRateLimited("slow"))
        assert cooldowns.is_cooling_down(*SONNET)
        assert cooldowns.refused_until(*SONNET) is None
        clock.pass_by(seconds)
        assert not cooldowns.is_cooling_down(*SONNET)
    cooldowns.succeeded(*SONNET)
    cooldowns.failed(*SONNET, UpstreamRateLimited("slow"))
    clock.pass_by(1)
    assert not cooldowns.is_cooling_down(*SONNET)


@pytest.mark.parametrize("kind", [UpstreamAuth, UpstreamAccountEmpty])
def test_bad_key(cooldowns: UpstreamHealth, clock: Clock, kind: type[UpstreamError]) -> None:
    """A bad key or empty account rests the whole provider for 30 s, doubling to ten minutes; one success clears it."""
    for seconds in (30, 60, 120, 240, 480, 600, 600):
        cooldowns.failed(*SONNET, kind("no"))
        cooldowns.failed("claude", "haiku", kind("no"))
        assert cooldowns.cooling() == {("claude", None)}
        assert cooldowns.is_cooling_down("claude", "opus")
        clock.pass_by(seconds - 0.5)
        assert cooldowns.cooling()
        clock.pass_by(0.5)
        assert not cooldowns.cooling()
    cooldowns.failed(*SONNET, kind("no"))
    cooldowns.succeeded("claude", "haiku")
    assert not cooldowns.cooling()


def test_missing_model(cooldowns: UpstreamHealth, clock: Clock, seen: list[CooldownStarted]) -> None:
    """A model that is not there rests ten minutes, alone, and is known as missing."""
    cooldowns.failed(*SONNET, UpstreamModelNotFound("no such model"))
    cooldowns.failed(*SONNET, UpstreamModelNotFound("no such model"))
    assert cooldowns.cooling() == {SONNET}
    assert cooldowns.missing(*SONNET)
    assert not cooldowns.missing("claude", "haiku")
    assert seen == [CooldownStarted("claude", "sonnet", "model_not_found", 600.0)]
    clock.pass_by(600)
    assert not cooldowns.missing(*SONNET)
    cooldowns.failed(*SONNET, UpstreamModelNotFound("no such model"))
    cooldowns.succeeded(*SONNET)
    assert not cooldowns.is_cooling_down(*SONNET)


@pytest.mark.parametrize("kind", [UpstreamRejected, ContextLengthExceeded])
def test_clients_error(cooldowns: UpstreamHealth, kind: type[UpstreamError]) -> None:
    """However often a client's request is wrong, nobody rests for it."""
    for _ in range(10):
        cooldowns.failed(*SONNET, kind("bad"))
    assert not cooldowns.cooling()


def test_overloaded_model(cooldowns: UpstreamHealth, clock: Clock, seen: list[CooldownStarted]) -> None:
    """Overloads open that model's breaker, told once; the provider's other models go on."""
    for _ in range(4):
        cooldowns.failed(*SONNET, UpstreamOverloaded("busy"))
    assert cooldowns.cooling() == {SONNET}
    assert cooldowns.broken(*SONNET)
    assert not cooldowns.is_cooling_down("claude", "haiku")
    assert seen == [CooldownStarted("claude", "sonnet", "upstream_overloaded", 5.0)]
    clock.pass_by(5)
    assert not cooldowns.broken(*SONNET)


def test_unreachable_provider(cooldowns: UpstreamHealth, clock: Clock) -> None:
    """Whatever model was asked for, failing to reach a provider counts against all of it."""
    for model in ("a", "b", "c"):
        cooldowns.failed("claude", model, UpstreamUnreachable("refused"))
    assert cooldowns.cooling() == {("claude", None)}
    clock.pass_by(5)
    cooldowns.acquire_probe("claude", "d")
    assert cooldowns.is_cooling_down("claude", "a")
    cooldowns.release("claude", "d")
    assert not cooldowns.is_cooling_down("claude", "a")


def test_reached_at_last(cooldowns: UpstreamHealth) -> None:
    """A bad answer is still an answer: the provider can be reached again."""
    for _ in range(3):
        cooldowns.failed(*SONNET, UpstreamUnreachable("refused"))
    cooldowns.failed(*SONNET, UpstreamOverloaded("busy"))
    assert not cooldowns.cooling()


def test_bounded_memory() -> None:
    """Names that clients make up do not fill the memory, and without an observer nothing is told."""
    cooldowns = UpstreamHealth(Clock())
    for number in range(REMEMBERED + 10):
        cooldowns.failed("openrouter", str(number), UpstreamModelNotFound("no such model"))
    assert len(cooldowns.cooling()) == REMEMBERED
    assert not cooldowns.missing("openrouter", "0")
