"""What settled rows add up to, as plain numbers: counting has to be cheap, a scrape may be slow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from gateway.records import RequestRecord

MAX_CODES = 100  # codes of errors that are labels; more count as `other`
SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
Labels = tuple[str, ...]


class Histogram:
    """How many durations fell between the bounds `SECONDS`, each with its upper bound, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.sum += seconds

    def family(self, name: str, text: str) -> Metric:
        """In Prometheus' form: each bucket counts those below it too."""
        family = HistogramMetricFamily(name, text)
        bounds = [*(str(bound) for bound in SECONDS), "+Inf"]
        below = [sum(self.counts[: place + 1]) for place in range(len(bounds))]
        family.add_metric([], buckets=list(zip(bounds, below, strict=True)), sum_value=self.sum)
        return family


@dataclass(slots=True)
class ModelTotals:
    """The sums of one provider and model; cost in USD."""

    cost: float = 0.0
    prompt: int = 0
    cached: int = 0
    completion: int = 0


@dataclass(slots=True)
class RequestMetrics:
    """An observer of settled rows. Requests are counted by strategy, status, provider, model and endpoint."""

    requests: dict[Labels, int] = field(default_factory=dict)
    served: dict[Labels, ModelTotals] = field(default_factory=dict)
    errors: dict[Labels, int] = field(default_factory=dict)
    refusals: dict[Labels, int] = field(default_factory=dict)
    fallbacks: int = 0
    unpriced: int = 0
    incomplete: dict[Labels, int] = field(default_factory=dict)
    baseline_cost: float = 0.0
    duration: Histogram = field(default_factory=Histogram)
    first_byte: Histogram = field(default_factory=Histogram)

    def observe(self, record: RequestRecord, *, listed: Collection[str]) -> None:
        """Count one settled row; `listed` are the full names that may be labels, others count as `other`."""
        provider, model, usage = record.selected_provider, record.selected_model, record.usage
        if f"{provider}/{model}" not in listed:
            model = "other"
        key = (record.strategy_used, record.status, provider, model, record.endpoint or "other")
        self.requests[key] = self.requests.get(key, 0) + 1
        if record.error_code is not None:
            _count_code(self.errors, record.error_code)
        served = self.served.get((provider, model))
        if served is None:
            served = self.served[provider, model] = ModelTotals()
        if record.actual_cost is not None:
            served.cost += float(record.actual_cost)
        elif usage is not None:
            self.unpriced += 1
        if usage is not None:
            served.prompt += usage.prompt_tokens
            served.cached += usage.cached_tokens
            served.completion += usage.completion_tokens
        if record.fallback_used:
            self.fallbacks += 1
        if record.baseline_cost is not None:
            self.baseline_cost += float(record.baseline_cost)
        if record.duration is not None:
            self.duration.add(record.duration)
        if record.first_byte is not None:
            self.first_byte.add(record.first_byte)

    def observe_incomplete(self, provider: str) -> None:
        """Count one answer that was passed on without some of its content."""
        self.incomplete[provider,] = self.incomplete.get((provider,), 0) + 1

    def observe_refusal(self, code: str) -> None:
        """Count one request that was refused before it was routed, by its error's code."""
        _count_code(self.refusals, code)

    def families(self) -> Iterator[Metric]:
        """Everything counted, in Prometheus' form."""
        which = ["provider", "model"]
        labels = ["strategy", "status", *which, "endpoint"]
        yield _counter("requests", "Requests settled.", labels, list(self.requests.items()))
        yield _counter("request_errors", "Settled requests that failed, by code.", ["code"], list(self.errors.items()))
        text = "Requests refused before they were routed, by code."
        yield _counter("refusals", text, ["code"], list(self.refusals.items()))
        yield _single("fallbacks", "Requests that a strategy's or an upstream's fallback served.", self.fallbacks)
        yield _single("unpriced_requests", "Requests whose cost is not known.", self.unpriced)
        incomplete = list(self.incomplete.items())
        text = "Answers with content that could not be passed on."
        yield _counter("incomplete_answers", text, ["provider"], incomplete)
        costs = [(labels, served.cost) for labels, served in self.served.items()]
        yield _counter("cost_usd", "What answers cost, USD.", which, costs)
        yield _single("baseline_cost_usd", "What the baseline would have cost, USD.", self.baseline_cost)
        yield _counter("tokens", "Tokens, by kind.", ["kind", *which], list(self._tokens()))
        yield self.duration.family("gateway_request_seconds", "From the request to its settlement.")
        yield self.first_byte.family("gateway_first_byte_seconds", "From the request to the answer's first byte.")

    def _tokens(self) -> Iterator[tuple[Labels, float]]:
        for labels, served in self.served.items():
            yield ("prompt", *labels), served.prompt
            yield ("cached", *labels), served.cached
            yield ("completion", *labels), served.completion


def _count_code(counts: dict[Labels, int], code: str) -> None:
    key = (code,) if (code,) in counts or len(counts) < MAX_CODES else ("other",)
    counts[key] = counts.get(key, 0) + 1


def _single(name: str, text: str, value: float) -> Metric:
    return _counter(name, text, [], [((), value)])


def _counter(name: str, text: str, labels: Sequence[str], values: Sequence[tuple[Labels, float]]) -> Metric:
    family = CounterMetricFamily(f"gateway_{name}", text, labels=labels)
    for own, value in values:
        family.add_metric(own, value)
    return family
