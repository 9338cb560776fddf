"""The simulated past of a demo."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.demo import listed_prices
from gateway.cli.demo_history import INCIDENTS, USERS, SimulatedClock, moments, run_history, write_history
from gateway.settings import load
from gateway.store.opening import open_read_only
from llm_simulator.seeded_random import SeededRandom
from tests.conftest import KEYS

NOW = datetime(2026, 11, 27, 16, 0, tzinfo=UTC)  # a Friday
DAYS = 10


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A ledger with ten simulated days, and their number of requests. Slow: some hundred requests through the whole proxy."""
    path = tmp_path_factory.mktemp("history") / "demo.db"
    settings = load({**KEYS, "GATEWAY_DB": str(path)})
    return path, write_history(settings, days=DAYS, seed=1, prices=listed_prices(), end=NOW)


@pytest.fixture(scope="module")
def rows(ledger: tuple[Path, int]) -> Iterator[list[dict[str, Any]]]:
    with closing(open_read_only(ledger[0])) as store:
        yield store.requests(limit=1000)


def test_rows_are_back_dated_and_closed(ledger: tuple[Path, int], rows: list[dict[str, Any]]) -> None:
    """Each request has one row, within the period, in the order of time, and none is open."""
    stamps = [row["timestamp"] for row in reversed(rows)]
    assert len(rows) == ledger[1] > 100
    assert stamps == sorted(stamps)
    assert (NOW - timedelta(days=DAYS)).isoformat() <= stamps[0]
    assert stamps[-1] <= (NOW + timedelta(minutes=5)).isoformat()
    assert {row["status"] for row in rows} <= {"ok", "error"}
    assert all(row["duration"] > 0 for row in rows)


def test_users_have_keys_conversations_and_a_mark(rows: list[dict[str, Any]]) -> None:
    """Every key of the users occurs, rows say that they are simulated, and some conversations have several requests."""
    assert {row["key_id"] for row in rows} == {user.key_id for user in USERS}
    assert {row["tags"]["source"] for row in rows} == {"simulated"}
    assert max(Counter(row["session_id"] for row in rows).values()) > 2
    assert {row["streamed"] for row in rows} == {0, 1}


def test_there_are_ratings_refusals_and_failovers(ledger: tuple[Path, int], rows: list[dict[str, Any]]) -> None:
    """A part of the answers is rated, some requests were refused, and on the day of the incident others took over."""
    assert 0.1 < sum(row["feedback_score"] is not None for row in rows) / len(rows) < 0.5
    with closing(open_read_only(ledger[0])) as store:
        causes = {row["cause"] for row in store.refusals(since=None, until=None, key_id=None)}
    assert causes == {"rate_limit_exceeded", "budget_exceeded"}
    day = (NOW - timedelta(days=min(INCIDENTS))).date().isoformat()
    assert any(row["fallback_used"] for row in rows if row["timestamp"].startswith(day))


def test_the_router_learns_on_the_way(ledger: tuple[Path, int]) -> None:
    """The outcomes of the requests are there to be learned, at the time of the requests."""
    with closing(open_read_only(ledger[0])) as store:
        outcomes = store.outcomes(limit=5000)
    assert {outcome.source for outcome in outcomes} >= {"served", "feedback"}
    assert all(outcome.timestamp < (NOW + timedelta(hours=1)).isoformat() for outcome in outcomes)


def test_moments_are_those_of_an_office() -> None:
    """In order, within the period, fewer at night and at the weekend; the same seed gives the same."""
    found = list(moments(28, NOW, SeededRandom("moments", 0)))
    assert found == sorted(found) == list(moments(28, NOW, SeededRandom("moments", 0)))
    assert NOW - timedelta(days=28) <= found[0] < found[-1] < NOW
    assert sum(at.hour < 6 for at in found) < len(found) / 10
    assert sum(at.weekday() >= 5 for at in found) < len(found) / 5


def test_the_clock_never_goes_back() -> None:
    """It stands, is moved on, and ignores a moment that is over."""
    clock = SimulatedClock(NOW)
    clock.advance(5)
    clock.move_to(NOW)
    assert (clock.monotonic(), clock.now()) == (5.0, NOW + timedelta(seconds=5))


def test_the_process_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line names the number of requests; what it simulates is not logged."""
    before = signal.getsignal(signal.SIGINT)
    settings = load({**KEYS, "GATEWAY_DB": str(tmp_path / "demo.db")})
    try:
        run_history(settings, days=1, seed=0, prices=listed_prices())
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
    assert "simulated requests of 1 days are in the ledger" in capsys.readouterr().err
