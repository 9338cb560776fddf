"""The memories of failure, second by second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.resilience.circuit_breaker import CircuitBreaker, ExponentialBackoff, RollingCounter


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans())))
def test_tally_counts_the_last_seconds(events: list[tuple[float, bool]]) -> None:
    """The counts are those of a plain list of events, cut by whole seconds."""
    counter, now, kept = RollingCounter(30), 0.0, []
    for later, marked in events:
        now += later
        counter.add(now, marked=marked)
        kept.append((int(now), marked))
        recent = [mark for second, mark in kept if second > now - 30]
        assert counter.counts(now) == (len(recent), sum(recent))


def test_each_pause_doubles_until_a_success() -> None:
    """Each pause is twice the last one, up to the longest, until a success ends it."""
    pause, now, lengths = ExponentialBackoff(first=30, longest=100), 0.0, []
    for _ in range(4):
        lengths.append(pause.start(now))
        now = pause.until
    assert lengths == [30, 60, 100, 100]
    pause.reset()
    assert pause.start(now) == 30


def test_failures_during_the_pause_do_not_prolong_it() -> None:
    """Failures while it runs neither prolong nor double it."""
    pause = ExponentialBackoff(first=30, longest=100)
    assert pause.start(0.0) == 30
    assert pause.start(10.0) == 0
    assert pause.until == 30


def opened(now: float = 0.0) -> CircuitBreaker:
    """A breaker that three failures have just opened."""
    circuit_breaker = CircuitBreaker()
    assert [circuit_breaker.failed(now) for _ in range(3)] == [0, 0, 5]
    return circuit_breaker


def test_three_failures_in_a_row_open_it() -> None:
    """Three failures with nothing else open it for five seconds."""
    circuit_breaker = opened()
    assert circuit_breaker.is_open(4.9)
    assert circuit_breaker.remaining(2.0) == 3.0
    assert not circuit_breaker.is_open(5.0)
    assert circuit_breaker.remaining(5.0) == 0.0


def test_half_failures_of_five_open_it() -> None:
    """With successes in between, half of five or more open it."""
    circuit_breaker = CircuitBreaker()
    circuit_breaker.succeeded(0)
    circuit_breaker.succeeded(0)
    assert [circuit_breaker.failed(0) for _ in range(3)] == [0, 0, 5]


def test_few_failures_among_many_do_not_open_it() -> None:
    """Three failures in a row among many successes do not open it."""
    circuit_breaker = CircuitBreaker()
    for _ in range(20):
        circuit_breaker.succeeded(0)
    assert [circuit_breaker.failed(1) for _ in range(3)] == [0, 0, 0]
    assert not circuit_breaker.is_open(1)


def test_failures_before_the_window_do_not_count() -> None:
    """Failures older than the window do not count towards the rate."""
    circuit_breaker = CircuitBreaker()
    circuit_breaker.failed(0)
    circuit_breaker.failed(0)
    circuit_breaker.succeeded(0)
    circuit_breaker.succeeded(31)
    assert circuit_breaker.failed(31) == 0


def test_rare_failures_without_success_are_consecutive() -> None:
    """Without a success in between, failures far apart are still in a row."""
    circuit_breaker = CircuitBreaker()
    assert [circuit_breaker.failed(now) for now in (0, 100, 200)] == [0, 0, 5]


def test_one_probe_passes_after_the_pause() -> None:
    """After the pause one request passes and the others wait for what it finds."""
    circuit_breaker = opened()
    circuit_breaker.acquire_probe(5)
    assert circuit_breaker.is_open(5)
    circuit_breaker.succeeded(6)
    assert not circuit_breaker.is_open(6)


def test_request_sent_while_open_is_no_probe() -> None:
    """A request sent although it is open is no probe."""
    circuit_breaker = opened()
    circuit_breaker.acquire_probe(1)
    assert not circuit_breaker.is_open(5)


def test_failed_probe_opens_it_for_twice_as_long() -> None:
    """A probe that fails opens it again for twice as long."""
    circuit_breaker = opened()
    circuit_breaker.acquire_probe(5)
    assert circuit_breaker.failed(6) == 10
    assert circuit_breaker.is_open(15.9)
    assert not circuit_breaker.is_open(16)


def test_lost_probe_does_not_block_for_ever() -> None:
    """A probe that ended without a result, or never reports, does not keep others out for ever."""
    circuit_breaker = opened()
    circuit_breaker.acquire_probe(5)
    circuit_breaker.release()
    assert not circuit_breaker.is_open(5)
    circuit_breaker.acquire_probe(5)
    assert not circuit_breaker.is_open(5 + CircuitBreaker.PROBE)


def test_failures_of_requests_under_way_change_nothing() -> None:
    """Failures of requests that were under way when it opened change nothing."""
    circuit_breaker = opened()
    assert circuit_breaker.failed(1) == 0
    assert not circuit_breaker.is_open(5)


def test_early_relapse_goes_on_doubling() -> None:
    """Opening again soon after it closed goes on doubling; after a good minute it starts anew."""
    circuit_breaker = opened()
    circuit_breaker.succeeded(5)
    assert [circuit_breaker.failed(10) for _ in range(3)] == [0, 0, 10]
    circuit_breaker.succeeded(20)
    assert [circuit_breaker.failed(100) for _ in range(3)] == [0, 0, 5]
