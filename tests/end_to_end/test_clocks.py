"""The time of day jumps; nothing that is counted in seconds notices, and days begin at UTC's midnight."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx2
import pytest

from gateway.app import Environment
from tests.conftest import MakeGateway
from tests.upstreams import answer, failing

CLAUDE = "claude/claude-haiku-5-5"


class Wall:
    """A time of day that is moved, beside a monotonic clock that goes on by a second at each look."""

    def __init__(self, at: str) -> None:
        self.at = datetime.fromisoformat(at)
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def clock(self) -> float:
        self.seconds += 1
        return self.seconds

    @property
    def environment(self) -> Environment:
        return Environment(clock=self.clock, now=self.now, seed=0)


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("stream", [False, True])
def test_clock_jump_within_a_request_keeps_durations(make_gateway: MakeGateway, days: int, stream: bool) -> None:
    """However the time of day jumps meanwhile, durations are as long as they were and the row has the time it began."""
    wall = Wall("2026-11-22T12:00:00+00:00")

    def upstream(request: httpx2.Request) -> httpx2.Response:
        wall.at += timedelta(days=days)
        return answer()(request)

    gateway = make_gateway(upstream, app_environment=wall.environment)
    assert gateway.ask(model=CLAUDE, stream=stream).status_code == 200
    (row,) = gateway.rows
    assert row["timestamp"].startswith("2026-11-22T12:00:00")
    assert 0 < row["first_byte"] <= row["duration"] < 60
    assert row["status"] == "ok"
    assert all(0 < attempt["duration"] < 60 for attempt in row["attempts"])


@pytest.mark.parametrize("days", [-1, 1])
def test_a_rest_is_counted_in_seconds(make_gateway: MakeGateway, days: int) -> None:
    """A rest that an upstream named neither ends nor grows when the time of day jumps."""
    wall = Wall("2026-11-22T12:00:00+00:00")
    gateway = make_gateway(failing(429, "claude", headers={"retry-after": "300"}), app_environment=wall.environment)
    gateway.ask(model=CLAUDE)
    wall.at += timedelta(days=days)
    refused = gateway.ask(model=CLAUDE)
    assert refused.status_code == 429
    assert 200 < int(refused.headers["retry-after"]) <= 300


def test_daily_budget_follows_the_utc_day(make_gateway: MakeGateway) -> None:
    """A daily budget is that of the UTC day of the moment: spent today, it is whole on the next day, and spent again when the clock goes back."""
    wall = Wall("2026-11-22T23:59:59+00:00")
    dear = answer(prompt_tokens=1_000_000, completion_tokens=1)
    gateway = make_gateway(dear, config="daily_budget_usd: 0.5\n", app_environment=wall.environment)
    asked = [gateway.ask(model=CLAUDE, max_tokens=1).status_code for _ in range(2)]
    assert asked == [200, 429]
    wall.at += timedelta(seconds=2)
    assert gateway.ask(model=CLAUDE, max_tokens=1).status_code == 200
    wall.at -= timedelta(days=1)
    assert gateway.ask(model=CLAUDE, max_tokens=1).status_code == 429
