"""The overview's figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.api.dashboard.filters import PageFilters
from gateway.api.dashboard.overview import MAX_BARS, buckets, overview, unanswered
from tests.conftest import MakeGateway

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)


def read(store: Any, days: float = 30.0, until: datetime | None = None, **given: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return overview(store, PageFilters(given, now - timedelta(days=days), until, UTC), now=now)


def test_figures_are_those_of_the_filters(make_gateway: MakeGateway) -> None:
    """Sums, tokens and shares follow the filters; the choices are always all that occur."""
    gateway = make_gateway()
    gateway.ask("Hello")
    gateway.ask(model="claude/claude-sonnet-5-5")
    whole, part = read(gateway.store), read(gateway.store, model="claude/claude-sonnet-5-5")
    assert (whole["report"]["requests"], part["report"]["requests"]) == (2, 1)
    assert part["tokens"]["prompt"] < whole["tokens"]["prompt"]
    assert part["choices"] == whole["choices"]
    assert sum(row["part"] for row in whole["models"]) == pytest.approx(1.0)
    assert whole["first_token"]["p95"] >= whole["first_token"]["p50"] > 0
    assert read(gateway.store, pattern="none such")["report"]["requests"] == 0


def test_a_young_ledger_is_drawn_by_hour(make_gateway: MakeGateway) -> None:
    """While all requests are of few days a bar is an hour; limited sums are by day only; a period without rows has no bar."""
    gateway = make_gateway()
    gateway.ask("Hello")
    (hour,) = read(gateway.store)["chart"].bars
    assert "T" in hour.label.partition(":")[0]
    pattern = gateway.rows[0]["pattern_detected"]
    (day,) = read(gateway.store, pattern=pattern)["chart"].bars
    assert "T" not in day.label.partition(":")[0]
    past = read(gateway.store, until=datetime.now(UTC) - timedelta(days=2))
    assert past["chart"].bars == []


def test_buckets_leave_no_time_out() -> None:
    """Every hour or day of the period has a place; of a long period the newest."""
    assert buckets(NOW - timedelta(hours=2), NOW, hourly=True) == ["2026-11-29T10", "2026-11-29T11", "2026-11-29T12"]
    assert buckets(NOW - timedelta(days=1), NOW, hourly=False) == ["2026-11-28", "2026-11-29"]
    assert len(buckets(NOW - timedelta(days=9000), NOW, hourly=False)) == MAX_BARS


def test_unanswered_requests_are_counted_back_to_the_last_answer() -> None:
    """Requests without a candidate count until the newest that was answered."""
    down, other, fine = ({"status": "error", "error_code": code} for code in ("no_candidate", "x", ""))
    assert unanswered([down, other, down, {**fine, "status": "ok"}, down]) == 2
