"""`GET /metrics`: what the ledger's rows add up to since the start, for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from gateway.observability.counters import RequestMetrics
from gateway.observability.multiprocess import SECONDS, MultiprocessMetrics


def zero() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """What others know, read at each scrape."""

    in_flight: Callable[[], float] = zero
    waiting: Callable[[], float] = zero
    refused: Callable[[], float] = zero
    event_loop_lag: Callable[[], float] = zero
    logs_dropped: Callable[[], float] = zero
    settlement_retries: Callable[[], float] = zero


class PrometheusExporter(Collector):
    """`counts` is an observer of settled rows; `reload_failed` is set by who reads the configuration again."""

    def __init__(self, readings: Gauges | None = None, multiprocess: MultiprocessMetrics | None = None) -> None:
        self.counts = RequestMetrics()
        self.reload_failed = False
        self._readings = readings if readings is not None else Gauges()
        self._multiprocess = multiprocess
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Everything there is to tell at this moment."""
        now = self._readings
        lag = "The longest that the event loop was kept from its work lately."
        failed = "1 while the configuration's files cannot be used."
        dropped = "Log lines that nobody read in time."
        yield GaugeMetricFamily("gateway_in_flight", "Requests that have a place.", value=now.in_flight())
        yield GaugeMetricFamily("gateway_queued", "Requests that wait for a place.", value=now.waiting())
        yield GaugeMetricFamily("gateway_event_loop_lag_seconds", lag, value=now.event_loop_lag())
        settlement_retries = "Rows that wait in memory until the ledger can be written."
        yield GaugeMetricFamily("gateway_unsettled", settlement_retries, value=now.settlement_retries())
        yield GaugeMetricFamily("gateway_config_reload_failed", failed, value=self.reload_failed)
        refused = "Requests refused because there was no place for them."
        yield CounterMetricFamily("gateway_refused", refused, value=now.refused())
        yield CounterMetricFamily("gateway_logs_dropped", dropped, value=now.logs_dropped())
        yield from self.counts.families()

    def publish(self) -> None:
        """What this process counted, for others that are asked for the metrics of all."""
        if self._multiprocess is not None:
            self._multiprocess.publish(generate_latest(self.registry))

    async def share(self) -> None:
        """Until cancelled. On the event loop, where nothing is counted meanwhile."""
        while self._multiprocess is not None:
            self.publish()
            await asyncio.sleep(SECONDS)

    async def metrics(self, request: Request) -> Response:
        own = generate_latest(self.registry)
        told = own if self._multiprocess is None else self._multiprocess.merged(own)
        return Response(told, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})
