"""What the page of routing draws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.api.dashboard.filters import PageFilters
from gateway.api.dashboard.routing_page import estimates, routing, shares_by_pattern
from gateway.savings import ReportGroup
from tests.conftest import MakeGateway


def test_estimates_are_means_over_the_candidates() -> None:
    """A model's quality and cost are means over the rows in which it was a candidate with both."""
    rows: list[dict[str, Any]] = [
        {"candidates": [{"provider": "p", "model": "m", "quality": 0.5, "cost": 1.0}]},
        {"candidates": [{"provider": "p", "model": "m", "quality": 0.7, "cost": 3.0}, {"provider": "p", "model": "n"}]},
        {"candidates": None},
        {},
    ]
    assert estimates(rows) == {"p/m": (0.6, 2.0, 2)}


def test_shares_are_of_each_patterns_requests() -> None:
    """A column adds up to one: who answered the requests of this pattern."""
    groups = [
        ReportGroup(provider="p", model="a", pattern="code", requests=3),
        ReportGroup(provider="p", model="b", pattern="code", requests=1),
        ReportGroup(provider="p", model="b", requests=2),
    ]
    found = shares_by_pattern(groups)
    assert found["patterns"] == ["code", "none"]
    assert [[cell["part"] for cell in row["cells"]] for row in found["rows"]] == [[0.75, 0.0], [0.25, 1.0]]


def test_named_models_are_no_choice_of_the_router(make_gateway: MakeGateway) -> None:
    """Requests that name their model are neither points nor shares."""
    gateway = make_gateway()
    gateway.ask("Hello")
    gateway.ask(model="claude/claude-sonnet-5-5")
    now = datetime.now(UTC)
    found = routing(gateway.store, PageFilters({}, now - timedelta(days=1), None, UTC), now=now)
    assert sum(model["requests"] for model in found["models"]) <= 1
    assert found["scatter"] is not None
