"""What settled rows add up to by the clients' own tags, for the names that `metrics_tag_labels` lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from gateway.observability.row_totals import RowTotals
from gateway.records import RequestRecord

MAX_VALUES = 200  # values of one tag that are labels; more count as `other`
OTHER, NO_VALUE = "other", "none"
_LABELS = ("tag", "value")


class TagMetrics:
    """An observer of settled rows."""

    def __init__(self) -> None:
        self._totals: dict[str, dict[str, RowTotals]] = {}  # by name and value

    def observe(self, record: RequestRecord, *, names: Collection[str]) -> None:
        """Count one settled row for each of these tags; a row without the tag counts as `none`."""
        for name in names:
            self._of(name, record.tags.get(name, NO_VALUE)).add(record)

    def _of(self, name: str, value: str) -> RowTotals:
        values = self._totals.setdefault(name, {})
        return values.setdefault(value if value in values or len(values) < MAX_VALUES else OTHER, RowTotals())

    def families(self) -> Iterator[Metric]:
        """In Prometheus' form."""
        requests = _counter("requests", "Requests settled, by tag and value.", "status")
        cost = _counter("cost_usd", "What answers cost, by tag and value, USD.")
        tokens = _counter("tokens", "Tokens by tag, value and kind.", "kind")
        for name, values in self._totals.items():
            for value, total in values.items():
                for status, count in total.requests.items():
                    requests.add_metric([name, value, status], count)
                cost.add_metric([name, value], total.cost)
                tokens.add_metric([name, value, "prompt"], total.prompt)
                tokens.add_metric([name, value, "completion"], total.completion)
        yield from (requests, cost, tokens)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"gateway_tag_{name}", text, labels=[*_LABELS, *labels])
