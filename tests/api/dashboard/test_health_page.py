"""What the page of health says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.api.dashboard.health_page import GatewayState, health
from gateway.store.sqlite import SqliteStore
from tests.conftest import MakeGateway
from tests.upstreams import failing

STATE = GatewayState(
    providers=("gemini", "claude"),
    cooling=lambda: frozenset({("gemini", None), ("claude", "haiku")}),
    event_loop_lag=lambda: 0.002,
    in_flight=lambda: 1,
    waiting=lambda: 2,
    unsettled=lambda: 3,
    damage=lambda: None,
    prices="2026-11-01+x",
    ledger="SQLite",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "gateway.db")) as opened:
        yield opened


def test_cooldowns_are_told_of_providers_and_models(store: SqliteStore) -> None:
    """A provider that is cooling down, and single models of another, are named; a commit is timed."""
    ticks = iter((1.0, 1.5))
    found = health(store, STATE, now=datetime(2026, 11, 29, tzinfo=UTC), clock=lambda: next(ticks))
    gemini, claude = found["providers"]
    assert (gemini["resting"], gemini["models"]) == (True, [])
    assert (claude["resting"], claude["models"]) == (False, ["haiku"])
    assert (found["commit"], found["writable"], found["price_age"], found["old_prices"]) == (0.5, True, 28, False)


def test_old_prices_are_told(store: SqliteStore) -> None:
    """Prices of more than thirty days ago are old."""
    state = replace(STATE, prices="2026-10-01+x")
    assert health(store, state, now=datetime(2026, 11, 29, tzinfo=UTC), clock=lambda: 0.0)["old_prices"]


def test_the_page_shows_what_is_down(make_gateway: MakeGateway) -> None:
    """After failures the page names the provider that is cooling down."""
    gateway = make_gateway(failing(401, "gemini"))
    gateway.ask(model="gemini/gemini-3.8-flash")
    page = gateway.client.get("/dashboard/health").text
    assert "cooling down</strong>" in page or "some models are cooling down" in page
