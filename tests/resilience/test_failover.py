"""Who is asked next, when, and what the client is told in the end."""

from __future__ import annotations

import pytest

from gateway.errors import (
    AllCandidatesFailed,
    ContextLengthExceeded,
    InvalidRequest,
    NoRoute,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamError,
    UpstreamFailed,
    UpstreamInvalidResponse,
    UpstreamModelNotFound,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamStaleConnection,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.resilience import AttemptSequence, Candidate, FailoverPolicy, UpstreamHealth
from tests.resilience.clocks import Clock

HAIKU = Candidate("claude", "haiku", 200_000)
SONNET = Candidate("claude", "sonnet", 1_000_000)
FLASH = Candidate("gemini", "flash", 1_000_000)
QWEN = Candidate("openrouter", "qwen/qwen-3", None)
ALL = (HAIKU, SONNET, FLASH, QWEN)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policy(clock: Clock) -> FailoverPolicy:
    """Its jitter is always the longest."""
    return FailoverPolicy(UpstreamHealth(clock), clock=clock, uniform=lambda low, high: high, deadline=100)


def asked(attempts: AttemptSequence, *errors: UpstreamError) -> list[Candidate | None]:
    """Who is asked, each failing with the next of `errors`, and who would be after."""
    order = []
    for error in errors:
        order.append(attempts.next())
        attempts.failed(error)
    return [*order, attempts.next()]


@pytest.mark.parametrize(
    ("error", "order"),
    [
        (UpstreamUnreachable("refused"), [HAIKU, FLASH]),
        (UpstreamOverloaded("busy"), [HAIKU, FLASH]),
        (UpstreamRateLimited("slow", retry_after=60), [HAIKU, FLASH]),
        (UpstreamAuth("key"), [HAIKU, FLASH]),
        (UpstreamAccountEmpty("empty"), [HAIKU, FLASH]),
        (UpstreamTimeout("late"), [HAIKU, FLASH]),
        (UpstreamInvalidResponse("html"), [HAIKU, FLASH]),
        (UpstreamModelNotFound("gone"), [HAIKU, SONNET]),
        (ContextLengthExceeded("long"), [HAIKU, SONNET]),
        (UpstreamRejected("bad"), [HAIKU, None]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, UpstreamError) else "",
)
def test_auto_prefers_another_provider_after_trouble(
    policy: FailoverPolicy, error: UpstreamError, order: list[Candidate | None]
) -> None:
    """After trouble another provider is preferred; where only the model was wrong, the next model; a client's error ends it."""
    assert asked(policy.begin(ALL, pinned=False), error) == order


def test_request_has_three_attempts_at_most(policy: FailoverPolicy) -> None:
    """A request is tried three times at most."""
    attempts = policy.begin(ALL, pinned=False)
    assert asked(attempts, *[UpstreamOverloaded("busy")] * 3) == [HAIKU, FLASH, QWEN, None]
    assert attempts.count == 3


def test_another_candidate_is_asked_at_once(policy: FailoverPolicy) -> None:
    """Another candidate is asked at once."""
    attempts = policy.begin(ALL, pinned=False)
    attempts.next()
    assert attempts.failed(UpstreamRateLimited("slow", retry_after=2)) == 0


def test_healthy_candidates_come_first(policy: FailoverPolicy) -> None:
    """Whoever rests is asked last, in the given order otherwise; a missing model after all others."""
    policy.upstream_health.failed("claude", "haiku", UpstreamModelNotFound("gone"))
    policy.upstream_health.failed("gemini", "flash", UpstreamRateLimited("slow", retry_after=60))
    attempts = policy.begin((HAIKU, FLASH, SONNET), pinned=False)
    assert asked(attempts, *[UpstreamModelNotFound("gone")] * 3) == [SONNET, FLASH, HAIKU, None]


def test_best_resting_candidate_is_asked_when_all_rest(policy: FailoverPolicy) -> None:
    """When all rest, the best of them is asked all the same."""
    policy.upstream_health.failed("claude", "haiku", UpstreamRateLimited("slow", retry_after=60))
    assert policy.begin((HAIKU,), pinned=False).next() == HAIKU


def test_resting_candidates_come_before_unreachable(policy: FailoverPolicy) -> None:
    """A provider that could not even be reached is asked after those that rest."""
    policy.upstream_health.failed("gemini", "flash", UpstreamRateLimited("slow", retry_after=60))
    attempts = policy.begin((HAIKU, SONNET, FLASH), pinned=False)
    assert asked(attempts, *[UpstreamUnreachable("refused")] * 2) == [HAIKU, FLASH, SONNET]


def test_resting_provider_is_asked_before_a_third_attempt(policy: FailoverPolicy) -> None:
    """One provider does not get all three attempts while another one, even a resting one, was not asked."""
    policy.upstream_health.failed("gemini", "flash", UpstreamRateLimited("slow", retry_after=60))
    opus = Candidate("claude", "opus", 1_000_000)
    attempts = policy.begin((HAIKU, SONNET, opus, FLASH), pinned=False)
    assert asked(attempts, *[UpstreamOverloaded("busy")] * 2) == [HAIKU, SONNET, FLASH]


@pytest.mark.parametrize("error", [UpstreamAuth("key"), UpstreamAccountEmpty("empty")], ids=["key", "account"])
def test_bad_key_is_not_used_again_in_the_request(policy: FailoverPolicy, error: UpstreamError) -> None:
    """A bad key or empty account is not used again in the same request, for whatever model."""
    attempts = policy.begin((HAIKU, SONNET), pinned=False)
    assert asked(attempts, error) == [HAIKU, None]


@pytest.mark.parametrize(
    ("candidates", "order"),
    [
        ((SONNET, HAIKU), [SONNET, None]),
        ((SONNET, FLASH), [SONNET, None]),
        ((SONNET, QWEN), [SONNET, QWEN]),
        ((QWEN, HAIKU), [QWEN, HAIKU]),
    ],
    ids=["smaller", "as-large", "unknown", "failed-unknown"],
)
def test_too_long_prompt_goes_to_larger_windows_only(
    policy: FailoverPolicy, candidates: tuple[Candidate, ...], order: list[Candidate | None]
) -> None:
    """A prompt that was too long only goes to a larger window; an unknown one never excludes."""
    attempts = policy.begin(candidates, pinned=False)
    assert asked(attempts, ContextLengthExceeded("long")) == order


def test_prompt_too_long_for_all_is_told_as_such(policy: FailoverPolicy) -> None:
    """When no window is larger, the client is told so, not that all are down."""
    attempts = policy.begin((SONNET, HAIKU), pinned=False)
    error = ContextLengthExceeded("long")
    asked(attempts, error)
    assert attempts.exhausted() is error


@pytest.mark.parametrize("error", [UpstreamUnreachable("refused"), UpstreamOverloaded("busy"), UpstreamFailed("500")])
def test_pinned_model_is_retried_after_growing_pauses(policy: FailoverPolicy, error: UpstreamError) -> None:
    """A pinned model in trouble is asked again after a growing pause, and by no other; the error keeps its class."""
    policy.upstream_health.succeeded("claude", "haiku")
    attempts = policy.begin((HAIKU,), pinned=True)
    waits = []
    while (candidate := attempts.next()) is not None:
        assert candidate == HAIKU
        waits.append(attempts.failed(error))
    assert waits == [0.5, 1.0, 0.0]
    assert attempts.exhausted() is error


@pytest.mark.parametrize(
    "error",
    [
        UpstreamTimeout("late"),
        UpstreamInvalidResponse("html"),
        UpstreamAuth("key"),
        UpstreamModelNotFound("gone"),
        UpstreamRejected("bad"),
        ContextLengthExceeded("long"),
        UpstreamRateLimited("slow"),
        UpstreamRateLimited("slow", retry_after=6),
        UpstreamOverloaded("busy", retry_after=6),
    ],
    ids=lambda error: type(error).__name__,
)
def test_pinned_model_is_not_retried_where_it_may_cost(policy: FailoverPolicy, error: UpstreamError) -> None:
    """What may be billed, cannot change or asks for a long pause is not asked again."""
    attempts = policy.begin((HAIKU,), pinned=True)
    assert asked(attempts, error) == [HAIKU, None]
    assert attempts.exhausted() is error


@pytest.mark.parametrize("seconds", [0.0, 2.0, 5.0])
def test_short_retry_after_is_waited_for(policy: FailoverPolicy, seconds: float) -> None:
    """An upstream that is back soon by its own word is asked again just then."""
    attempts = policy.begin((HAIKU,), pinned=True)
    attempts.next()
    assert attempts.failed(UpstreamRateLimited("slow", retry_after=seconds)) == seconds
    assert attempts.next() == HAIKU


def test_resting_pinned_model_is_tried_once(policy: FailoverPolicy) -> None:
    """A pinned model that rests is asked all the same, once."""
    for _ in range(3):
        policy.upstream_health.failed("claude", "haiku", UpstreamOverloaded("busy"))
    attempts = policy.begin((HAIKU,), pinned=True)
    assert asked(attempts, UpstreamOverloaded("busy")) == [HAIKU, None]


def test_pinned_model_is_refused_within_its_retry_after(policy: FailoverPolicy, clock: Clock) -> None:
    """Within a Retry-After that its provider named a pinned model is not asked; the client learns how long."""
    policy.upstream_health.failed("claude", "haiku", UpstreamRateLimited("slow", retry_after=60))
    clock.pass_by(20)
    attempts = policy.begin((HAIKU,), pinned=True)
    assert attempts.next() is None
    error = attempts.exhausted()
    assert isinstance(error, UpstreamRateLimited)
    assert (error.provider, error.retry_after, attempts.count) == ("claude", 40, 0)


def test_list_of_the_client_is_followed_in_its_order(policy: FailoverPolicy) -> None:
    """A list that the client gave is followed in its order, but for those within a Retry-After."""
    policy.upstream_health.failed("gemini", "flash", UpstreamRateLimited("slow", retry_after=60))
    attempts = policy.begin((HAIKU, FLASH, SONNET, QWEN), pinned=True)
    last = UpstreamTimeout("late")
    assert asked(attempts, UpstreamOverloaded("busy"), last) == [HAIKU, SONNET, QWEN]
    assert attempts.exhausted() is last


def test_only_candidate_is_asked_again_after_a_pause(policy: FailoverPolicy) -> None:
    """When `auto` has nobody else, the same one is asked again after a pause."""
    attempts = policy.begin((HAIKU,), pinned=False)
    attempts.next()
    assert attempts.failed(UpstreamOverloaded("busy")) == 0.5
    assert attempts.next() == HAIKU


def test_all_attempts_share_one_deadline(policy: FailoverPolicy, clock: Clock) -> None:
    """All attempts share one deadline, and no pause runs past it."""
    attempts = policy.begin(ALL, pinned=False)
    attempts.next()
    clock.pass_by(99)
    assert attempts.remaining == 1
    assert attempts.failed(UpstreamTimeout("late")) == 0
    clock.pass_by(1)
    assert attempts.next() is None

    attempts = policy.begin((HAIKU,), pinned=True)
    attempts.next()
    clock.pass_by(98)
    assert attempts.failed(UpstreamOverloaded("busy", retry_after=3)) == 0
    assert attempts.next() is None


def test_retry_budget_is_a_fifth_of_requests_plus_three(policy: FailoverPolicy, clock: Clock) -> None:
    """In bad times an upstream gets a fifth more requests than clients sent, and three; a minute later it is forgotten."""

    def retries(requests: int) -> int:
        count = 0
        for _ in range(requests):
            attempts = policy.begin((HAIKU,), pinned=True)
            attempts.next()
            attempts.failed(UpstreamOverloaded("busy"))
            policy.upstream_health.succeeded("claude", "haiku")  # the breaker is not what stops them here
            policy.upstream_health.succeeded("claude", "haiku")
            count += attempts.next() is not None
            attempts.abandoned()
        return count

    assert retries(100) == 23
    clock.pass_by(61)
    assert retries(1) == 1


def test_retry_budget_holds_for_models_of_one_provider(policy: FailoverPolicy) -> None:
    """The budget also holds for another model of the provider in trouble, not for another provider."""
    for _ in range(4):
        policy.budget.spend("claude", retry=True)
    attempts = policy.begin((HAIKU, SONNET, FLASH), pinned=False)
    assert asked(attempts, *[UpstreamOverloaded("busy")] * 2) == [HAIKU, FLASH, FLASH]


def test_success_ends_the_rest_of_provider_and_model(policy: FailoverPolicy, clock: Clock) -> None:
    """A success ends the rest of provider and model."""
    policy.upstream_health.failed("claude", "haiku", UpstreamAuth("key"))
    clock.pass_by(30)
    attempts = policy.begin((HAIKU,), pinned=False)
    attempts.next()
    attempts.succeeded()
    policy.upstream_health.failed("claude", "haiku", UpstreamAuth("key"))
    clock.pass_by(30)
    assert not policy.upstream_health.cooling()


def test_broken_stream_counts_as_a_failure(policy: FailoverPolicy) -> None:
    """A stream that breaks after it began counts as a failure as well."""
    for _ in range(3):
        attempts = policy.begin((HAIKU,), pinned=False)
        attempts.next()
        attempts.succeeded()
        attempts.failed(UpstreamTimeout("late"))
    assert policy.upstream_health.broken("claude", "haiku")


def test_abandoned_probe_passes_to_the_next_request(policy: FailoverPolicy, clock: Clock) -> None:
    """A client that leaves lets the next request be the probe; before any attempt there is nothing to let go of."""
    for _ in range(3):
        policy.upstream_health.failed("claude", "haiku", UpstreamOverloaded("busy"))
    clock.pass_by(5)
    attempts = policy.begin((HAIKU,), pinned=False)
    attempts.abandoned()
    attempts.next()
    assert policy.upstream_health.is_cooling_down("claude", "haiku")
    attempts.abandoned()
    assert not policy.upstream_health.is_cooling_down("claude", "haiku")


def test_unsuited_candidate_is_skipped_without_an_attempt(policy: FailoverPolicy) -> None:
    """A candidate that cannot be asked such a thing is passed over and is no attempt; if none can, the client learns why."""
    attempts = policy.begin((HAIKU, FLASH), pinned=False)
    assert attempts.next() == HAIKU
    first = InvalidRequest("no audio")
    attempts.unsupported(first)
    assert attempts.next() == FLASH
    assert attempts.count == 1
    attempts.unsupported(InvalidRequest("no logprobs"))
    assert attempts.next() is None
    assert attempts.exhausted() is first


def test_empty_candidates_give_no_route(policy: FailoverPolicy) -> None:
    """Without candidates there is no route."""
    attempts = policy.begin((), pinned=False)
    assert attempts.next() is None
    assert isinstance(attempts.exhausted(), NoRoute)


def test_all_candidates_down_is_a_503_with_reasons_and_wait(policy: FailoverPolicy) -> None:
    """When all that `auto` tried are down, the client gets 503, each one's reason, and the smallest wait that was named."""
    attempts = policy.begin((HAIKU, FLASH, QWEN), pinned=False)
    asked(
        attempts,
        UpstreamRateLimited("quota spent", retry_after=40),
        UpstreamOverloaded("too busy", retry_after=7),
        UpstreamAuth("key sk-secret is bad", upstream_status=401),
    )
    error = attempts.exhausted()
    assert isinstance(error, AllCandidatesFailed)
    assert (error.status, error.code, error.retry_after) == (503, "no_candidate", 7)
    assert error.message == (
        "No candidate could answer: claude/haiku: quota spent; gemini/flash: too busy; openrouter/qwen/qwen-3: upstream_auth"
    )
    assert [candidate for candidate, _ in attempts.failures] == [HAIKU, FLASH, QWEN]


def test_client_error_of_the_second_candidate_is_told(policy: FailoverPolicy) -> None:
    """When the second candidate finds the request itself wrong, that is what the client is told."""
    attempts = policy.begin(ALL, pinned=False)
    error = UpstreamRejected("bad field")
    asked(attempts, UpstreamOverloaded("busy"), error)
    assert attempts.exhausted() is error


def test_traffic_leaves_a_degraded_provider_and_returns(policy: FailoverPolicy, clock: Clock) -> None:
    """When a provider turns bad, traffic moves within ten seconds, comes back by itself, and few retries are spent."""
    first_asked, extra = [], 0
    for second in range(60):
        for _ in range(10):
            attempts = policy.begin((HAIKU, FLASH), pinned=False)
            first_asked.append((second, attempts.next()))
            if first_asked[-1][1] == HAIKU and second < 30:
                attempts.failed(UpstreamOverloaded("busy"))
                attempts.next()
                extra += 1
            attempts.succeeded()
        clock.pass_by(1)
    moved = [candidate for second, candidate in first_asked if 1 <= second < 30]
    assert moved.count(FLASH) / len(moved) > 0.95
    assert [candidate for second, candidate in first_asked if second >= 55] == [HAIKU] * 50
    assert extra < 20


@pytest.mark.parametrize("pinned", [True, False])
def test_closed_kept_connection_is_tried_once_more(policy: FailoverPolicy, pinned: bool) -> None:
    """Where the upstream closed a kept connection, the same model is asked once more, at once and before any other."""
    attempts = policy.begin([HAIKU, FLASH] if not pinned else [HAIKU], pinned=pinned)
    assert attempts.next() == HAIKU
    assert attempts.failed(UpstreamStaleConnection("closed")) == 0.0
    assert attempts.next() == HAIKU
    attempts.failed(UpstreamStaleConnection("closed"))
    assert attempts.next() == (None if pinned else FLASH)


def test_closed_kept_connections_within_the_retry_budget(policy: FailoverPolicy) -> None:
    """Such a repetition counts as a retry: where kept connections keep being closed, no more than the budget are repeated."""
    repeated = 0
    for _ in range(20):
        attempts = policy.begin([HAIKU], pinned=True)
        attempts.next()
        attempts.failed(UpstreamStaleConnection("closed"))
        repeated += attempts.next() is not None
    assert 0 < repeated < 10
