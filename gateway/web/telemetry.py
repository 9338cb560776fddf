"""`GET /metrics`: what the ledger's rows add up to since the start, for Prometheus."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response

from gateway.records import RequestRecord

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Telemetry:
    """An observer of settled rows. Labels come from the configuration only: other models count as `other`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        which = ["provider", "model"]
        self._requests = self._counter("requests", "Requests settled.", ["strategy", "status", *which])
        self._fallbacks = self._counter("fallbacks", "Requests that a strategy's or an upstream's fallback served.", [])
        self._unpriced = self._counter("unpriced_requests", "Requests whose cost is not known.", [])
        self._cost = self._counter("cost_usd", "What answers cost, USD.", which)
        self._baseline = self._counter("baseline_cost_usd", "What the baseline would have cost, USD.", [])
        self._tokens = self._counter("tokens", "Tokens, by kind.", ["kind", *which])
        self._duration = self._histogram("request_seconds", "From the request to its settlement.")
        self._first_byte = self._histogram("first_byte_seconds", "From the request to the answer's first byte.")

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"gateway_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(f"gateway_{name}", text, registry=self.registry, buckets=SECONDS)

    def observe(self, record: RequestRecord, *, listed: Collection[str]) -> None:
        """Count one settled row; `listed` are the full names that may be labels."""
        known = f"{record.selected_provider}/{record.selected_model}" in listed
        which = (record.selected_provider, record.selected_model if known else "other")
        self._requests.labels(record.strategy_used, record.status, *which).inc()
        if record.fallback_used:
            self._fallbacks.inc()
        if record.usage is not None and record.actual_cost is None:
            self._unpriced.inc()
        self._cost.labels(*which).inc(float(record.actual_cost or Decimal(0)))
        self._baseline.inc(float(record.baseline_cost or Decimal(0)))
        if record.usage is not None:
            self._tokens.labels("prompt", *which).inc(record.usage.prompt_tokens)
            self._tokens.labels("cached", *which).inc(record.usage.cached_tokens)
            self._tokens.labels("completion", *which).inc(record.usage.completion_tokens)
        if record.duration is not None:
            self._duration.observe(record.duration)
        if record.first_byte is not None:
            self._first_byte.observe(record.first_byte)

    async def metrics(self, request: Request) -> Response:
        return Response(generate_latest(self.registry), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})
