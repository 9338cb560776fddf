"""The metrics."""

from __future__ import annotations

from gateway.observability.prometheus import Gauges, PrometheusExporter
from tests.conftest import KEYS, MakeGateway
from tests.upstreams import failing


def test_metrics_count_the_rows(make_gateway: MakeGateway) -> None:
    """Requests, tokens, cost and fallbacks are counted; a model that is not listed counts as `other`."""
    gateway = make_gateway(failing(503, "gemini"))
    gateway.ask("Hello", path="/v1/chat/completions?auto_route=false")
    gateway.ask(model="claude/claude-nobody-knows")
    text = gateway.client.get("/metrics").text
    assert (
        'gateway_requests_total{endpoint="chat_completions",model="other",provider="claude",status="ok",strategy="pinned"} 1.0'
        in text
    )
    assert "gateway_fallbacks_total 1.0" in text
    assert "gateway_unpriced_requests_total 1.0" in text
    assert "nobody-knows" not in text
    assert "gateway_in_flight 0.0" in text
    assert "gateway_config_reload_failed 0.0" in text


def test_metrics_need_the_admin_key(make_gateway: MakeGateway) -> None:
    """Metrics are the admin's."""
    client = make_gateway(environment={**KEYS, "GATEWAY_ADMIN_KEY": "an-admin-key-of-length"}).client
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"x-api-key": "an-admin-key-of-length"}).status_code == 200


def test_gauges_are_read_when_scraped() -> None:
    """What others know is read when it is asked for."""
    exporter = PrometheusExporter(
        Gauges(in_flight=lambda: 1, waiting=lambda: 2, refused=lambda: 3, event_loop_lag=lambda: 4)
    )
    values = {name: exporter.registry.get_sample_value(f"gateway_{name}") for name in ("in_flight", "queued")}
    assert values == {"in_flight": 1, "queued": 2}
    assert exporter.registry.get_sample_value("gateway_refused_total") == 3
    assert exporter.registry.get_sample_value("gateway_event_loop_lag_seconds") == 4
    assert exporter.registry.get_sample_value("gateway_logs_dropped_total") == 0
