"""Logging decisions from a program of one's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.routing.metrics import MetricsCollector
from gateway.routing.types import RoutingDecision
from gateway.store.sqlite import SqliteStore

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def collector(path: Path) -> Iterator[MetricsCollector]:
    collector = MetricsCollector(path, now=lambda: NOW)
    yield collector
    collector.close()


def decided(
    strategy: Any = "hybrid", *, confidence: Any = "high", cost: Any = 0.001, **metadata: Any
) -> RoutingDecision:
    facts = {"pattern": "code", "complexity": 0.2, "cost_estimate": cost, **metadata}
    return RoutingDecision("gemini", "flash", confidence, strategy, "cheap and good", metadata=facts)


BASELINE = RoutingDecision("claude", "haiku", "medium", "complexity", "moderate", metadata={"cost_estimate": 0.004})


def rows(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM routing_metrics ORDER BY id")]


def test_a_decision_is_a_row(collector: MetricsCollector, path: Path) -> None:
    """Once logged, the row is there for anyone who opens the file."""
    request_id = collector.log_routing_decision(decided(propensity=0.98), BASELINE, True, request_id="r1")

    (row,) = rows(path)
    assert request_id == row["request_id"] == "r1"
    assert row["timestamp"] == "2026-11-22T10:30:00.000+00:00"
    assert (row["strategy_used"], row["confidence"], row["pattern_detected"]) == ("hybrid", "high", "code")
    assert (row["selected_provider"], row["selected_model"]) == ("gemini", "flash")
    assert (row["baseline_provider"], row["baseline_model"]) == ("claude", "haiku")
    assert (row["baseline_cost"], row["actual_cost"]) == (0.004, 0.001)
    assert (row["cost_savings"], row["savings_percentage"]) == (pytest.approx(0.003), pytest.approx(75))
    assert (row["auto_route"], row["experimental"], row["fallback_used"], row["fallback_reason"]) == (1, 0, 0, None)
    assert (row["status"], row["propensity"], row["reasoning"]) == ("ok", 0.98, "cheap and good")


def test_ids_are_made(collector: MetricsCollector, path: Path) -> None:
    """Without a request id each row gets one of its own; a known id is logged once."""
    first = collector.log_routing_decision(decided(), BASELINE, False)
    second = collector.log_routing_decision(decided(), BASELINE, False)
    collector.log_routing_decision(decided(), BASELINE, False, request_id=first)

    assert [row["request_id"] for row in rows(path)] == [first, second]
    assert first != second


def test_savings_summary(collector: MetricsCollector) -> None:
    """The summary counts what was learned and what fell back, and its percentage is the rows' mean."""
    collector.log_routing_decision(decided(), BASELINE, True)
    fallen = decided("complexity", cost=0.004, fallback_reason="learning broke")
    fallen.fallback_used = True
    collector.log_routing_decision(fallen, BASELINE, True)

    summary = collector.get_savings_summary(days=7)

    assert (summary["total_requests"], summary["auto_routed_count"], summary["fallback_count"]) == (2, 1, 1)
    assert summary["total_savings"] == pytest.approx(0.003)
    assert summary["avg_savings_pct"] == pytest.approx(37.5)


def test_empty_summary(collector: MetricsCollector) -> None:
    """Without rows everything is 0."""
    summary = collector.get_savings_summary()

    assert (summary["total_requests"], summary["total_savings"], summary["avg_savings_pct"]) == (0, 0, 0)
    assert collector.get_confidence_distribution() == {}
    assert collector.get_model_selection_patterns() == []


def test_zero_baseline(collector: MetricsCollector) -> None:
    """A free baseline saves 0 per cent."""
    free = RoutingDecision("claude", "haiku", "medium", "complexity", "free", metadata={"cost_estimate": 0})
    collector.log_routing_decision(decided(), free, True)

    assert collector.get_savings_summary()["avg_savings_pct"] == 0


def test_confidence_distribution(collector: MetricsCollector) -> None:
    """Learned decisions are counted by level; a level that never occurred counts 0."""
    for strategy, confidence in (("hybrid", "high"), ("learning", "high"), ("hybrid", "low"), ("complexity", "medium")):
        collector.log_routing_decision(decided(strategy, confidence=confidence), BASELINE, True)

    distribution = collector.get_confidence_distribution()

    assert distribution == {"high": 2, "low": 1}
    assert distribution["medium"] == 0


def test_model_selection_patterns(collector: MetricsCollector) -> None:
    """Learned choices are listed by model and pattern, most frequent first."""
    for pattern in ("code", "chat", "chat"):
        collector.log_routing_decision(decided(pattern=pattern), BASELINE, True)
    collector.log_routing_decision(decided("pinned"), BASELINE, False)

    found = collector.get_model_selection_patterns()

    assert [(row["model"], row["pattern"], row["count"]) for row in found] == [
        ("flash", "chat", 2),
        ("flash", "code", 1),
    ]
    assert found[0]["avg_savings"] == pytest.approx(0.003)


def test_pinned_rows_have_no_score(collector: MetricsCollector, path: Path) -> None:
    """What the client chose has neither pattern, complexity nor confidence."""
    collector.log_routing_decision(decided("pinned"), BASELINE, False)

    (row,) = rows(path)
    assert row["pattern_detected"] is row["complexity_score"] is row["confidence"] is None


@pytest.mark.parametrize(
    ("reason", "stored"),
    [
        (None, None),
        ("", None),
        ("learning broke", "strategy: learning broke"),
        ("strategy: broke", "strategy: broke"),
        ("upstream: 529", "upstream: 529"),
        (ValueError("odd"), "strategy: odd"),
    ],
)
def test_fallback_reasons_begin_with_what_failed(
    collector: MetricsCollector, path: Path, reason: object, stored: str | None
) -> None:
    """A stored reason begins with what failed: the strategy or the upstream."""
    collector.log_routing_decision(decided(fallback_reason=reason), BASELINE, True)

    assert rows(path)[0]["fallback_reason"] == stored


@pytest.mark.parametrize(
    "decision",
    [
        RoutingDecision("p", "m", "high", "hybrid", "why"),
        decided(None, confidence=None, pattern=None, complexity=None),
        decided("x" * 1_000_000, confidence="\ud800\0", pattern="ω" * 100_000),
        decided(pattern=7, complexity="high", propensity="often", candidates=3, features="none", experimental="yes"),
        decided(cost=float("nan"), complexity=float("inf"), candidates=[object()], features={1: "x"}),
        decided(cost=-1),
        decided(cost="free"),
        decided(cost=True),
        decided(cost=1e300),
        decided(cost=Decimal("0.1")),
        RoutingDecision("p", "m", "high", "hybrid", "why", metadata=None),  # type: ignore[arg-type] # a caller's slip
    ],
    ids=[
        "sparse",
        "null",
        "long",
        "mistyped",
        "not finite",
        "negative",
        "text",
        "flag",
        "huge",
        "decimal",
        "no metadata",
    ],
)
def test_odd_decisions_are_logged(collector: MetricsCollector, decision: RoutingDecision) -> None:
    """Whatever a strategy put into its decision, it becomes a row and the reports go on."""
    collector.log_routing_decision(decision, BASELINE, True)

    assert collector.get_savings_summary()["total_requests"] == 1
    assert sum(collector.get_confidence_distribution().values()) == 1
    assert collector.get_model_selection_patterns()[0]["count"] == 1


def test_shared_store(path: Path) -> None:
    """A store that was given is used, and stays open."""
    with closing(SqliteStore(path, now=lambda: NOW)) as store:
        collector = MetricsCollector(store=store, now=lambda: NOW)
        collector.log_routing_decision(decided(), BASELINE, True, request_id="r1")
        collector.close()

        assert store.request("r1") is not None


def test_own_store_is_closed(path: Path) -> None:
    """A collector that opened a file closes it, and another continues there."""
    first = MetricsCollector(path)
    first.log_routing_decision(decided(), BASELINE, True)
    first.close()

    second = MetricsCollector(str(path))
    assert second.get_savings_summary()["total_requests"] == 1
    second.close()
