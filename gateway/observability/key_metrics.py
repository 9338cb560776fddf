"""What settled rows and refusals add up to by client key, where `metrics_key_labels` asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gateway.accounts.budgets import Balance
from gateway.accounts.virtual_keys import VirtualKey
from gateway.observability.row_totals import RowTotals
from gateway.records import RequestRecord

MAX_KEYS = 200  # keys that are labels; more count as `other`
MAX_CODES = 20  # codes of refusals of one key that are labels; more count as `other`
OTHER, NO_KEY = "other", "none"
_LABELS = ("key_id", "key")


class KeyBudget(NamedTuple):
    """A key that has a budget, and what is spent of it in the window that runs."""

    key: VirtualKey
    balance: Balance


@dataclass(slots=True)
class KeyTotals(RowTotals):
    """The sums of one key."""

    refusals: dict[str, int] = field(default_factory=dict)  # by code


class KeyMetrics:
    """An observer of settled rows and of refusals. Keys are known by their ids, which are no secrets."""

    def __init__(self) -> None:
        self._totals: dict[str, KeyTotals] = {}

    def observe(self, record: RequestRecord) -> None:
        """Count one settled row."""
        self._of(record.key_id).add(record)

    def observe_refusal(self, code: str, key_id: str | None) -> None:
        """Count one request that was refused before it was routed."""
        refusals = self._of(key_id).refusals
        known = code if code in refusals or len(refusals) < MAX_CODES else OTHER
        refusals[known] = refusals.get(known, 0) + 1

    def _of(self, key_id: str | None) -> KeyTotals:
        key = key_id or NO_KEY
        found = self._totals.get(key)
        if found is None:
            key = key if len(self._totals) < MAX_KEYS else OTHER
            found = self._totals.setdefault(key, KeyTotals())
        return found

    def families(self, names: Mapping[str, str]) -> Iterator[Metric]:
        """In Prometheus' form. `names` are those of virtual keys, by id; other keys are called by their id."""
        totals = [((key_id, names.get(key_id, key_id)), total) for key_id, total in self._totals.items()]
        requests = _counter("requests", "Requests settled, by key.", "status")
        refusals = _counter("refusals", "Requests refused before they were routed, by key and code.", "code")
        cost = _counter("cost_usd", "What answers cost, by key, USD.")
        tokens = _counter("tokens", "Tokens by key and kind.", "kind")
        for labels, total in totals:
            for status, count in total.requests.items():
                requests.add_metric([*labels, status], count)
            for code, count in total.refusals.items():
                refusals.add_metric([*labels, code], count)
            cost.add_metric(labels, total.cost)
            tokens.add_metric([*labels, "prompt"], total.prompt)
            tokens.add_metric([*labels, "completion"], total.completion)
        yield from (requests, refusals, cost, tokens)


def budget_families(budgets: Sequence[KeyBudget]) -> Iterator[Metric]:
    """The budgets of keys in Prometheus' form, USD."""
    labels = [*_LABELS, "window"]
    limit = GaugeMetricFamily("gateway_key_budget_usd", "The budget of a key, USD.", labels=labels)
    spent = GaugeMetricFamily("gateway_key_budget_spent_usd", "Spent of a key's budget, USD.", labels=labels)
    held = GaugeMetricFamily("gateway_key_budget_held_usd", "Held of it for running requests, USD.", labels=labels)
    for key, balance in budgets:
        if key.budget is not None:
            own = (key.id, key.name, key.budget.window)
            limit.add_metric(own, key.budget.limit_nano / 1e9)
            spent.add_metric(own, balance.used_nano / 1e9)
            held.add_metric(own, balance.held_nano / 1e9)
    yield from (limit, spent, held)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"gateway_key_{name}", text, labels=[*_LABELS, *labels])
