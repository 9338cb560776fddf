"""Metrics of what one configuration decides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from gateway.observability.prometheus import PrometheusExporter
from gateway.observability.state_metrics import StateMetrics


def test_upstreams_that_are_avoided() -> None:
    """Every provider has a value, listed models only while they cool down, and names that clients chose none."""
    exporter = PrometheusExporter()
    exporter.state = StateMetrics(
        providers=["gemini", "claude"],
        listed=["gemini/one"],
        cooling=lambda: frozenset({("claude", None), ("gemini", "one"), ("gemini", "unlisted")}),
    )
    (family,) = (each for each in exporter.collect() if each.name == "gateway_upstream_cooling_down")
    found = {(sample.labels["provider"], sample.labels["model"]): sample.value for sample in family.samples}
    assert found == {("gemini", "*"): 0, ("claude", "*"): 1, ("gemini", "one"): 1}


def test_age_of_prices_and_budget() -> None:
    """The age counts from the snapshot's day in UTC; a budget has its limit and what is spent of it."""
    exporter = PrometheusExporter()
    value = exporter.registry.get_sample_value
    assert value("gateway_price_age_seconds") is value("gateway_daily_budget_usd") is None
    exporter.state = StateMetrics(
        now=lambda: datetime(2026, 11, 2, 1, tzinfo=UTC),
        prices_dated=date(2026, 11, 1),
        budget=Decimal(20),
        spent=lambda: Decimal("1.5"),
    )
    assert value("gateway_price_age_seconds") == 25 * 3600
    assert (value("gateway_daily_budget_usd"), value("gateway_daily_budget_spent_usd")) == (20, 1.5)
