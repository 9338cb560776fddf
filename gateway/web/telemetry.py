"""`GET /metrics`: what the ledger's rows add up to since the start, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from gateway.records import RequestRecord

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


def nothing() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Readings:
    """What others know, read at each scrape."""

    in_flight: Callable[[], float] = nothing
    waiting: Callable[[], float] = nothing
    refused: Callable[[], float] = nothing
    event_loop_lag: Callable[[], float] = nothing
    logs_dropped: Callable[[], float] = nothing


@dataclass(frozen=True, slots=True)
class Series:
    """The counters of one combination of labels, found once: finding them takes longer than counting."""

    requests: Counter
    cost: Counter
    prompt: Counter
    cached: Counter
    completion: Counter


class Telemetry:
    """An observer of settled rows. Labels come from the configuration only: other models count as `other`."""

    def __init__(self, readings: Readings | None = None) -> None:
        self.registry = CollectorRegistry()
        readings = readings if readings is not None else Readings()
        self._gauge("in_flight", "Requests that have a place.").set_function(readings.in_flight)
        self._gauge("queued", "Requests that wait for a place.").set_function(readings.waiting)
        lag = "The longest that the event loop was kept from its work lately."
        self._gauge("event_loop_lag_seconds", lag).set_function(readings.event_loop_lag)
        self.reload_failed = self._gauge("config_reload_failed", "1 while the configuration's files cannot be used.")
        for name, text, read in (
            ("refused", "Requests refused because there was no place for them.", readings.refused),
            ("logs_dropped", "Log lines that nobody read in time.", readings.logs_dropped),
        ):
            self.registry.register(Counted(f"gateway_{name}", text, read=read))
        which = ["provider", "model"]
        self._requests = self._counter("requests", "Requests settled.", ["strategy", "status", *which])
        self._fallbacks = self._counter("fallbacks", "Requests that a strategy's or an upstream's fallback served.", [])
        self._unpriced = self._counter("unpriced_requests", "Requests whose cost is not known.", [])
        self._cost = self._counter("cost_usd", "What answers cost, USD.", which)
        self._baseline = self._counter("baseline_cost_usd", "What the baseline would have cost, USD.", [])
        self._tokens = self._counter("tokens", "Tokens, by kind.", ["kind", *which])
        self._series: dict[tuple[str, str, str, str], Series] = {}
        self._duration = self._histogram("request_seconds", "From the request to its settlement.")
        self._first_byte = self._histogram("first_byte_seconds", "From the request to the answer's first byte.")

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"gateway_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"gateway_{name}", text, registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(f"gateway_{name}", text, registry=self.registry, buckets=SECONDS)

    def observe(self, record: RequestRecord, *, listed: Collection[str]) -> None:
        """Count one settled row; `listed` are the full names that may be labels."""
        known = f"{record.selected_provider}/{record.selected_model}" in listed
        which = (record.selected_provider, record.selected_model if known else "other")
        series = self._series_of(record.strategy_used, record.status, *which)
        series.requests.inc()
        if record.fallback_used:
            self._fallbacks.inc()
        if record.usage is not None and record.actual_cost is None:
            self._unpriced.inc()
        series.cost.inc(float(record.actual_cost or 0))
        self._baseline.inc(float(record.baseline_cost or 0))
        if record.usage is not None:
            series.prompt.inc(record.usage.prompt_tokens)
            series.cached.inc(record.usage.cached_tokens)
            series.completion.inc(record.usage.completion_tokens)
        if record.duration is not None:
            self._duration.observe(record.duration)
        if record.first_byte is not None:
            self._first_byte.observe(record.first_byte)

    def _series_of(self, strategy: str, status: str, provider: str, model: str) -> Series:
        key = (strategy, status, provider, model)
        if key not in self._series:
            self._series[key] = Series(
                requests=self._requests.labels(*key),
                cost=self._cost.labels(provider, model),
                prompt=self._tokens.labels("prompt", provider, model),
                cached=self._tokens.labels("cached", provider, model),
                completion=self._tokens.labels("completion", provider, model),
            )
        return self._series[key]

    async def metrics(self, request: Request) -> Response:
        return Response(generate_latest(self.registry), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


class Counted(Collector):
    """A counter that is kept elsewhere."""

    def __init__(self, name: str, text: str, *, read: Callable[[], float]) -> None:
        self._name = name
        self._text = text
        self._read = read

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._text, value=self._read())
