"""Metrics of what one configuration decides: cooldowns, circuit breakers, the age of the prices and the daily budget."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from gateway.observability.key_metrics import KeyBudget, budget_families

# Pairs of provider and model; None stands for all models of the provider.
Upstreams = frozenset[tuple[str, str | None]]
WHOLE_PROVIDER = "*"  # the label `model` of what concerns a whole provider


def nothing() -> Upstreams:
    return frozenset()


@dataclass(frozen=True, slots=True)
class StateMetrics:
    """`listed` are the full names that may be labels; `budget` is USD a UTC day; `spent` is USD of this day, read at each scrape.

    With `key_labels` there are metrics by client key.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    providers: Sequence[str] = ()
    listed: Collection[str] = ()
    cooling: Callable[[], Upstreams] = nothing
    open_breakers: Callable[[], Upstreams] = nothing
    prices_dated: date | None = None
    budget: Decimal | None = None
    spent: Callable[[], Decimal] = Decimal
    key_labels: bool = False
    key_names: Callable[[], Mapping[str, str]] = dict
    key_budgets: Callable[[], Sequence[KeyBudget]] = tuple

    def families(self) -> Iterator[Metric]:
        """In Prometheus' form. Each provider has a value, 0 while it is well; models have one only while they are not."""
        yield self._upstreams("upstream_cooling_down", "1 while requests avoid this upstream.", self.cooling())
        yield self._upstreams("circuit_breaker_open", "1 while the circuit breaker is open.", self.open_breakers())
        age = GaugeMetricFamily("gateway_price_age_seconds", "Age of the price snapshot.")
        if self.prices_dated is not None:
            age.add_metric([], (self.now() - datetime.combine(self.prices_dated, time(), UTC)).total_seconds())
        yield age
        budget = GaugeMetricFamily("gateway_daily_budget_usd", "The budget of a UTC day, USD.")
        spent = GaugeMetricFamily("gateway_daily_budget_spent_usd", "Spent of this UTC day's budget, USD.")
        if self.budget is not None:
            budget.add_metric([], float(self.budget))
            spent.add_metric([], float(self.spent()))
        yield budget
        yield spent
        yield from budget_families(self.key_budgets() if self.key_labels else ())

    def _upstreams(self, name: str, text: str, affected: Upstreams) -> Metric:
        family = GaugeMetricFamily(f"gateway_{name}", text, labels=["provider", "model"])
        for provider in self.providers:
            family.add_metric([provider, WHOLE_PROVIDER], (provider, None) in affected)
        for provider, model in sorted((provider, model) for provider, model in affected if model is not None):
            if f"{provider}/{model}" in self.listed:
                family.add_metric([provider, model], 1)
        return family
