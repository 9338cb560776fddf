"""`GET /metrics`: the metrics of this process, or of all workers together, in Prometheus' text format."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from gateway.observability.counters import RequestMetrics
from gateway.observability.key_metrics import KeyMetrics
from gateway.observability.state_metrics import StateMetrics
from gateway.observability.tag_metrics import TagMetrics

PUBLISH_SECONDS = 1.0  # between two files of a worker's metrics
# Of these gauges the merged value is the maximum; everything else is added up.
_MAXIMUM = (
    "gateway_event_loop_lag_seconds",
    "gateway_config_reload_failed",
    "gateway_ledger_lag_seconds",
    "gateway_upstream_cooling_down",
    "gateway_circuit_breaker_open",
    "gateway_price_age_seconds",
    "gateway_daily_budget_usd",
    "gateway_daily_budget_spent_usd",
    "gateway_key_budget_usd",
    "gateway_key_budget_spent_usd",
    "gateway_key_budget_held_usd",
)


def zero() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """Values that other objects hold, read at each scrape."""

    in_flight: Callable[[], float] = zero
    waiting: Callable[[], float] = zero
    refused: Callable[[], float] = zero
    event_loop_lag: Callable[[], float] = zero
    logs_dropped: Callable[[], float] = zero
    settlement_retries: Callable[[], float] = zero
    ledger_lag: Callable[[], float] = zero


class PrometheusExporter(Collector):
    """`counts` observes settled requests, `keys` and `tags` do where metrics have these as labels; `state` belongs to the configuration in force; the reloader sets `reload_failed`."""

    def __init__(self, gauges: Gauges | None = None, multiprocess: MultiprocessMetrics | None = None) -> None:
        self.counts = RequestMetrics()
        self.keys = KeyMetrics()
        self.tags = TagMetrics()
        self.state = StateMetrics()
        self.reload_failed = False
        self._gauges = gauges if gauges is not None else Gauges()
        self._multiprocess = multiprocess
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """All metrics at this moment."""
        gauges = self._gauges
        lag = "Longest recent delay of the event loop."
        failed = "1 while the configuration's files cannot be used."
        dropped = "Log lines dropped because the queue was full."
        yield GaugeMetricFamily("gateway_in_flight", "Requests being served.", value=gauges.in_flight())
        yield GaugeMetricFamily("gateway_queued", "Requests waiting in the queue.", value=gauges.waiting())
        yield GaugeMetricFamily("gateway_event_loop_lag_seconds", lag, value=gauges.event_loop_lag())
        settlement_retries = "Rows that wait in memory until the ledger can be written."
        yield GaugeMetricFamily("gateway_unsettled", settlement_retries, value=gauges.settlement_retries())
        ledger_lag = "Age of the oldest request whose row waits for the ledger; 0 while none waits."
        yield GaugeMetricFamily("gateway_ledger_lag_seconds", ledger_lag, value=gauges.ledger_lag())
        yield GaugeMetricFamily("gateway_config_reload_failed", failed, value=self.reload_failed)
        refused = "Requests refused because the queue was full."
        yield CounterMetricFamily("gateway_refused", refused, value=gauges.refused())
        yield CounterMetricFamily("gateway_logs_dropped", dropped, value=gauges.logs_dropped())
        yield from self.state.families()
        yield from self.counts.families()
        yield from self.keys.families(self.state.key_names())
        yield from self.tags.families()

    def observe_refusal(self, code: str, key_id: str | None) -> None:
        """Count one request that was refused before it was routed."""
        self.counts.observe_refusal(code)
        if self.state.key_labels:
            self.keys.observe_refusal(code, key_id)

    def publish(self) -> None:
        """Write this process's metrics for the other workers."""
        if self._multiprocess is not None:
            self._multiprocess.publish(generate_latest(self.registry))

    async def share(self) -> None:
        """Publish every PUBLISH_SECONDS until cancelled; on the event loop, so that nothing is counted meanwhile."""
        while self._multiprocess is not None:
            self.publish()
            await asyncio.sleep(PUBLISH_SECONDS)

    async def metrics(self, request: Request) -> Response:
        own = generate_latest(self.registry)
        merged = own if self._multiprocess is None else self._multiprocess.merged(own)
        return Response(merged, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


class MultiprocessMetrics:
    """The metrics of all workers: each writes its own to a file in `folder`. Files of dead workers stay, so that counters never go back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"metrics-{os.getpid()}"

    def publish(self, metrics: bytes) -> None:
        """Write this process's metrics where the others read them; the file is replaced atomically."""
        new = self._folder / f".{self._own.name}"
        new.write_bytes(metrics)
        new.replace(self._own)

    def merged(self, metrics: bytes) -> bytes:
        """This process's metrics added to those that the others published last."""
        others = [path for path in sorted(self._folder.glob("metrics-*")) if path != self._own]
        texts = [(True, metrics), *((_is_alive(path), path.read_bytes()) for path in others)]
        registry = CollectorRegistry()
        registry.register(_Sum(texts))
        return generate_latest(registry)


class _Sum(Collector):
    def __init__(self, texts: Sequence[tuple[bool, bytes]]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        """Gauges of dead processes are left out, their counters are not."""
        families: dict[str, Metric] = {}
        values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
        for alive, text in self._texts:
            for family in text_string_to_metric_families(text.decode()):
                families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples if alive or family.type != "gauge" else ():
                    key = (family.name, sample.name, tuple(sample.labels.items()))
                    before = values.get(key, 0.0)
                    values[key] = max(before, sample.value) if family.name in _MAXIMUM else before + sample.value
        for (name, sample_name, labels), value in values.items():
            families[name].add_sample(sample_name, dict(labels), value)
        yield from families.values()


def _is_alive(path: Path) -> bool:
    try:
        os.kill(int(path.name.partition("-")[2]), 0)
    except ProcessLookupError:
        return False
    return True
