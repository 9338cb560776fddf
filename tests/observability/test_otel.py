"""Spans and metrics by OTLP: which requests are recorded, what a collector gets, and what happens without one."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from gateway.observability.otel import CLOSE_SECONDS, TOLD_SECONDS, OtelTelemetry, SeldomFilter
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.otlp import Collector, ReceivedSpan, collecting
from tests.upstreams import Upstream, answer, failing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
NO_EXPORT = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
PROMPT = "a prompt that nobody else may read"


def telemetry_to(url: str) -> OtelTelemetry:
    return OtelTelemetry(
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
        exporter=OTLPSpanExporter(endpoint=f"{url}/v1/traces", timeout=5),
        reader=PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{url}/v1/metrics", timeout=5)),
    )


def first_fails(parents: list[str] | None = None) -> Upstream:
    """The first call of all is refused; `parents` gets the `traceparent` of each."""
    calls: list[httpx2.Request] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        if parents is not None:
            parents.append(request.headers["traceparent"])
        return (answer() if len(calls) > 1 else failing(503, "gemini", "claude", "openrouter"))(request)

    return upstream


class Recorded:
    """A gateway that exports to a collector on loopback."""

    def __init__(self, make_gateway: MakeGateway, collector: Collector) -> None:
        self._make = make_gateway
        self._collector = collector
        self._telemetry = telemetry_to(collector.url)

    def gateway(self, upstream: Upstream | None = None) -> GatewayUnderTest:
        return self._make(upstream, telemetry=self._telemetry)

    def spans(self) -> list[ReceivedSpan]:
        """What the collector has got, once all is sent."""
        self._telemetry.close()
        return self._collector.spans


@pytest.fixture
def recorded(make_gateway: MakeGateway) -> Iterator[Recorded]:
    with collecting() as collector:
        yield Recorded(make_gateway, collector)


def test_spans_of_a_streamed_request_with_a_failed_attempt(recorded: Recorded) -> None:
    """One server span below the client's, and below it the decision, each write of the ledger and each attempt, in order and in its time."""
    gateway = recorded.gateway(first_fails())
    response = gateway.client.post(
        "/v1/chat/completions",
        json={"model": "auto", "stream": True, "messages": [{"role": "user", "content": PROMPT}]},
        headers={"traceparent": SAMPLED},
    )
    assert "data: [DONE]" in response.text
    (row,) = gateway.rows
    request, *parts = recorded.spans()
    assert (request.name, request.kind, request.parent_id) == ("POST /v1/chat/completions", 2, SPAN)
    assert request.attributes["gateway.request_id"] == row["request_id"]
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["gateway.cost_usd"] == pytest.approx(row["actual_cost"])

    calls = [(f"chat {each['model']}", each["error"]) for each in row["attempts"]]
    assert [error for _, error in calls] == ["upstream_overloaded", None]
    assert [(part.name, part.error) for part in parts if part.kind == 3] == calls
    assert [part.name for part in parts if part.kind == 1] == [
        "route",
        "ledger insert",
        *["ledger attempt"] * (len(calls) - 1),
        "ledger settle",
    ]
    assert {part.parent_id for part in parts} == {request.span_id}
    assert {span.trace_id for span in (request, *parts)} == {TRACE}
    assert len({span.span_id for span in (request, *parts)}) == len(parts) + 1
    assert all(request.began <= part.began <= part.ended <= request.ended for part in parts)
    assert abs(request.began / 1e9 - time.time()) < 60


def test_attributes_of_an_attempt(recorded: Recorded) -> None:
    """An attempt is a client span of the GenAI conventions, with the tokens that the ledger has."""
    gateway = recorded.gateway(answer("four", prompt_tokens=11, completion_tokens=7))
    assert gateway.ask(model="gemini/gemini-3.8-flash", stream=True).status_code == 200
    (call,) = [span for span in recorded.spans() if span.kind == 3]
    found = dict(call.attributes)
    assert 0 < found.pop("gen_ai.response.time_to_first_chunk") < 60
    assert found.pop("gateway.cost_usd") > 0
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini-3.8-flash",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "gemini-3.8-flash",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "gateway.estimated": False,
        "gateway.attempt": 1,
        "gateway.attempt_status": "settled",
        "server.address": "generativelanguage.googleapis.com",
        "server.port": 443,
    }


def test_no_prompt_answer_or_key_is_exported(recorded: Recorded) -> None:
    """Spans have ids, names, counts and times only."""
    gateway = recorded.gateway(answer("an answer that nobody else may read"))
    gateway.ask(PROMPT)
    gateway.ask(PROMPT, model="nosuch")
    told = str(recorded.spans())
    assert "nobody" not in told
    assert not any(key in told for key in ("gemini-key", "claude-key", "openrouter-key"))


def test_upstreams_hang_below_the_attempt(recorded: Recorded) -> None:
    """The parent that an upstream is told is the span of its attempt."""
    parents: list[str] = []
    gateway = recorded.gateway(first_fails(parents))
    gateway.client.headers["traceparent"] = SAMPLED
    gateway.ask()
    calls = [span for span in recorded.spans() if span.kind == 3]
    assert len(parents) == 2
    assert parents == [f"00-{TRACE}-{span.span_id}-01" for span in calls]


def test_a_request_without_a_trace_has_its_own_id(recorded: Recorded) -> None:
    """The trace that begins here has the digits of the request's id, so that each is found from the other."""
    response = recorded.gateway().ask()
    request = recorded.spans()[0]
    assert (request.parent_id, f"req_{request.trace_id}") == ("", response.headers["x-request-id"])


def test_a_client_that_does_not_sample_is_obeyed(recorded: Recorded) -> None:
    """The default sampler follows the parent: nothing is recorded, and the context goes on as it came."""
    gateway = recorded.gateway()
    gateway.client.headers["traceparent"] = UNSAMPLED
    assert gateway.ask().status_code == 200
    assert gateway.rows[0]["client_request_id"] == TRACE
    assert recorded.spans() == []


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [({"model": "nosuch"}, 404, None), ({"messages": 5}, 400, None)],
    ids=["unknown model", "invalid body"],
)
def test_a_refused_request_has_one_span(
    recorded: Recorded, body: dict[str, Any], status: int, error: str | None
) -> None:
    """A request without a row is one server span with its status; a client's mistake is no error of the server."""
    response = recorded.gateway().ask(**body)
    (span,) = recorded.spans()
    assert (response.status_code, span.kind, span.error) == (status, 2, error)
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes["error.type"] == response.json()["error"]["code"] or response.json()["error"]["type"]


def test_a_request_that_fails_is_an_error(recorded: Recorded) -> None:
    """A request that no upstream answers is a server span with an error, and so is each of its attempts."""
    gateway = recorded.gateway(failing(503, "gemini", "claude", "openrouter"))
    response = gateway.ask()
    request, *parts = recorded.spans()
    assert (request.error, request.attributes["http.response.status_code"]) == (response.json()["error"]["code"], 503)
    assert [part.attributes["http.response.status_code"] for part in parts if part.kind == 3] == [503] * 3


def test_a_failure_that_lasts_is_told_once_a_minute() -> None:
    """The exporter's lines about the same outage are one line a minute."""
    now = 100.0
    seldom = SeldomFilter(lambda: now)
    line = logging.makeLogRecord({})
    assert [seldom.filter(line) for _ in range(3)] == [True, False, False]
    now += TOLD_SECONDS
    assert [seldom.filter(line) for _ in range(2)] == [True, False]


def test_what_the_environment_leaves_out_is_not_recorded(make_gateway: MakeGateway) -> None:
    """Without an exporter for spans no request has any, and the client's trace goes on as it came."""
    telemetry = OtelTelemetry(clock=time.monotonic, now=lambda: datetime.now(UTC), environment=NO_EXPORT)
    headers = [(b"traceparent", SAMPLED.encode())]
    trace = telemetry.begin(headers, dict(headers), request_id=f"req_{TRACE}", route="/")
    assert trace is not None
    assert trace.spans is None
    assert telemetry.begin([], {}, request_id=f"req_{TRACE}", route="/") is None
    assert make_gateway(telemetry=telemetry).ask().status_code == 200
    telemetry.close()


def test_a_collector_that_is_away_keeps_nobody(make_gateway: MakeGateway) -> None:
    """Requests are served as ever, and the end waits no longer than CLOSE_SECONDS, which is why this takes two seconds."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        telemetry = telemetry_to(f"http://127.0.0.1:{unused.getsockname()[1]}")
        gateway = make_gateway(telemetry=telemetry)
        assert [gateway.ask().status_code for _ in range(3)] == [200] * 3
        began = time.monotonic()
        telemetry.close()
        telemetry.close()
        assert time.monotonic() - began < CLOSE_SECONDS + 1.0
