"""What settled rows add up to by the clients' own tags, for the names that `metrics_tag_labels` lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily

from gateway.records import RequestRecord

MAX_VALUES = 200  # values of one tag that are labels; more count as `other`
OTHER, NO_VALUE = "other", "none"
_LABELS = ("tag", "value")


@dataclass(slots=True)
class TagTotals:
    """The sums of one value of a tag; cost in USD."""

    requests: dict[str, int] = field(default_factory=dict)  # by status
    cost: float = 0.0
    prompt: int = 0
    completion: int = 0


class TagMetrics:
    """An observer of settled rows."""

    def __init__(self) -> None:
        self._totals: dict[str, dict[str, TagTotals]] = {}  # by name and value

    def observe(self, record: RequestRecord, *, names: Collection[str]) -> None:
        """Count one settled row for each of these tags; a row without the tag counts as `none`."""
        for name in names:
            totals = self._of(name, record.tags.get(name, NO_VALUE))
            totals.requests[record.status] = totals.requests.get(record.status, 0) + 1
            totals.cost += 0.0 if record.actual_cost is None else float(record.actual_cost)
            if record.usage is not None:
                totals.prompt += record.usage.prompt_tokens
                totals.completion += record.usage.completion_tokens

    def _of(self, name: str, value: str) -> TagTotals:
        values = self._totals.setdefault(name, {})
        return values.setdefault(value if value in values or len(values) < MAX_VALUES else OTHER, TagTotals())

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
