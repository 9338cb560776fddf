"""Exports spans and metrics by OTLP. The only module that imports OpenTelemetry; it is imported where `telemetry: otel` asks for it.

Spans are made of the settled row, after the client has its answer. The SDK's batch processor takes them: a bounded queue and a
thread, so a collector that is away costs the spans that no longer fit, and no request waits. The OTEL_* variables configure it.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from gateway.errors import GatewayError
from gateway.observability.call_metrics import CallMetrics
from gateway.observability.spans import Servers, Span, refused_span, spans_of
from gateway.records import RequestRecord
from gateway.request_trace import RequestTrace, SpanLog
from gateway.trace_context import TraceContext, trace_context

NAME = "auto-gateway"
CLOSE_SECONDS = 2.0  # in which what waits is sent at the end; a collector that is away must not keep the gateway
TOLD_SECONDS = 60.0  # between two lines of an exporter that fails again and again
_EXPORTERS = ("trace_exporter", "metric_exporter")
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class OtelTelemetry:
    """Decides which requests are recorded, and exports them. `clock` is monotonic seconds, `now` UTC.

    Without `exporter` and `reader` the environment names them, OTLP over HTTP unless it says `none`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        exporter: SpanExporter | None = None,
        reader: MetricReader | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._clock = clock
        self._now = now
        self._closed = False
        self._exporter = exporter or (OTLPSpanExporter() if _exports(environment, "TRACES") else None)
        if reader is None and _exports(environment, "METRICS"):
            reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._resource = _resource()
        self._scope = InstrumentationScope(NAME, version(NAME))
        self._provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        self._processor = SpanProcessor() if self._exporter is None else BatchSpanProcessor(self._exporter)
        self._meters = MeterProvider([reader] if reader else [], resource=self._resource, shutdown_on_exit=False)
        self._metrics = CallMetrics(self._meters.get_meter(NAME, version(NAME)))
        for name in _EXPORTERS:
            logging.getLogger(f"opentelemetry.exporter.otlp.proto.http.{name}").addFilter(SeldomFilter(clock))

    def begin(
        self, headers: Sequence[tuple[bytes, bytes]], fields: Mapping[bytes, bytes], *, request_id: str, route: str
    ) -> RequestTrace | None:
        """The client's trace, or one of the gateway's own, whose id is the request's; the sampler decides whether it is recorded."""
        parent = trace_context(headers) if b"traceparent" in fields else None
        trace_id = request_id.removeprefix("req_") if parent is None else parent.trace_id
        if self._exporter is None or not self._is_sampled(trace_id, parent, name=f"POST {route}"):
            return None if parent is None else RequestTrace(parent)
        spans = SpanLog(
            trace_id,
            int(request_id[-16:], 16),
            route=route,
            at=self._now(),
            clock=self._clock,
            on_refused=self._refuse,
        )
        return RequestTrace(parent, spans)

    def observe(self, record: RequestRecord, *, servers: Servers, listed: Collection[str]) -> None:
        """An observer of settled rows. `servers` are the upstreams' hosts; `listed` the full names that metrics may have."""
        self._metrics.observe(record, listed=listed)
        trace = record.trace
        if trace is not None and trace.spans is not None:
            for span in spans_of(record, trace, trace.spans, servers):
                self._export(span, trace, trace.spans)

    def close(self) -> None:
        """Send what waits, for at most CLOSE_SECONDS. Blocks. Can be called again."""
        if self._closed:
            return
        self._closed = True
        closing = (self._processor.shutdown, partial(self._meters.shutdown, timeout_millis=CLOSE_SECONDS * 1000))
        threads = [threading.Thread(target=close, name="telemetry end", daemon=True) for close in closing]
        deadline = self._clock() + CLOSE_SECONDS
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - self._clock()))
        if threads[0].is_alive() and self._exporter is not None:
            self._exporter.shutdown()  # ends a pause between two tries

    def _is_sampled(self, trace_id: str, parent: TraceContext | None, *, name: str) -> bool:
        context = None
        if parent is not None:
            flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
            remote = SpanContext(int(trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
            context = set_span_in_context(NonRecordingSpan(remote))
        decided = self._provider.sampler.should_sample(context, int(trace_id, 16), name, kind=SpanKind.SERVER)
        return decided.decision is Decision.RECORD_AND_SAMPLE

    def _refuse(self, trace: RequestTrace, spans: SpanLog, error: GatewayError) -> None:
        self._export(refused_span(trace, spans, error, ended=self._clock()), trace, spans)

    def _export(self, span: Span, trace: RequestTrace, spans: SpanLog) -> None:
        """Give a span to the queue."""
        trace_id, at = int(spans.trace_id, 16), spans.at.timestamp()
        parent = None
        if span.parent_id:
            remote = trace.parent is not None and span.parent_id == trace.parent.span_id
            parent = SpanContext(trace_id, int(span.parent_id, 16), is_remote=remote, trace_flags=_SAMPLED)
        self._processor.on_end(
            ReadableSpan(
                span.name,
                SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=_SAMPLED),
                parent,
                resource=self._resource,
                attributes=span.attributes,
                kind=_KINDS[span.kind],
                status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
                start_time=_nanoseconds(at + span.began - spans.began),
                end_time=_nanoseconds(at + span.ended - spans.began),
                instrumentation_scope=self._scope,
            )
        )


class SeldomFilter(logging.Filter):
    """Lets a line through every TOLD_SECONDS; the others of a failure that lasts say nothing new. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + TOLD_SECONDS
        return True


def _exports(environment: Mapping[str, str], signal: str) -> bool:
    """Whether the environment wants this signal exported."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not disabled and environment.get(f"OTEL_{signal}_EXPORTER", "").strip() != "none"


def _resource() -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, with the gateway's names where they say nothing.

    Each process has an id of its own, because the same metric of two processes must not look like one.
    """
    named = Resource.create()
    own = {"service.name": NAME, "service.version": version(NAME), "service.instance.id": str(uuid.uuid4())}
    given = {name for name, value in named.attributes.items() if not str(value).startswith("unknown_service")}
    return named.merge(Resource({name: value for name, value in own.items() if name not in given}))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
