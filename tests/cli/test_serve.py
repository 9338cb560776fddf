"""`gateway serve`: what it refuses, and one life of it as a process."""

from __future__ import annotations

import fcntl
import sqlite3
import sys
from pathlib import Path

import httpx2
import orjson
import pytest

from llm_simulator import Simulator
from tests.cli.conftest import KEYS, Invoke, Start
from tests.otlp import collecting


def test_serve_answers_and_exits_with_0_on_sigterm(start: Start, db: Path) -> None:
    """It listens, answers, and after SIGTERM exits with 0; the answer's row is in the file."""
    with Simulator(seed=1) as upstreams:
        gateway = start("serve", "--port", "0", "--db", str(db), environment={**KEYS, **upstreams})
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
        response = httpx2.post(f"{gateway.url}/v1/chat/completions", json=body)
        assert response.status_code == 200
        assert gateway.end() == 0
    with sqlite3.connect(db) as connection:
        rows = connection.execute("SELECT request_id, status FROM routing_metrics").fetchall()
    assert rows == [(response.headers["x-request-id"], "ok")]
    assert f"upstream: gemini is at {upstreams['GEMINI_BASE_URL']}" in gateway.lines
    logged = [orjson.loads(line) for line in gateway.lines if line.startswith("{")]
    assert [line["request_id"] for line in logged if line["logger"] == "gateway.requests"] == [rows[0][0]]


def test_serve_survives_a_blocked_standard_error(start: Start, db: Path) -> None:
    """When standard error is a pipe that is full, requests are answered all the same, and SIGTERM ends the process with 0."""
    with Simulator(seed=1) as upstreams, httpx2.Client() as client:
        gateway = start("serve", "--port", "0", "--db", str(db), environment={**KEYS, **upstreams})
        pipe = gateway.process.stderr
        assert pipe is not None
        size = fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096) if sys.platform == "linux" else 65536
        for _ in range(size // 500 + 5):  # a line of this model's has about 600 bytes
            body = {"model": "openrouter/" + "x" * 200, "messages": [{"role": "user", "content": "Hello"}]}
            assert client.post(f"{gateway.url}/v1/chat/completions", json=body).status_code == 200
        assert client.get(f"{gateway.url}/readyz").status_code == 200
        gateway.process.terminate()
        assert gateway.process.wait(20) == 0


def test_open_to_the_network_without_a_key(invoke: Invoke) -> None:
    """Whoever listens beyond this machine has to set a client key; the refusal says which variable."""
    result = invoke("serve", "--host", "0.0.0.0", **KEYS)
    assert result.exit_code == 2
    assert "set GATEWAY_API_KEY" in result.output


def test_serve_without_a_provider_offers_the_demo(invoke: Invoke) -> None:
    """Without any provider there is nothing to serve; the demo is offered."""
    result = invoke("serve")
    assert result.exit_code == 1
    assert "gateway demo" in result.output


def test_the_demo_where_no_provider_can_be_used(start: Start) -> None:
    """`serve --or-demo`, which `make run` calls, is the demo when no provider can be used."""
    gateway = start("serve", "--or-demo", "--port", "0")
    assert httpx2.get(f"{gateway.url}/healthz").headers["x-gateway-demo"] == "true"
    assert gateway.end() == 0


def test_a_provider_without_a_key_is_served(start: Start, tmp_path: Path) -> None:
    """`serve --or-demo` serves as soon as any provider of the configuration can be used: an Ollama row needs no key."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateway.yaml").write_text("")
    (tmp_path / "config" / "providers.yaml").write_text(
        "providers:\n  - {name: ollama, kind: openai, base_url: 'http://127.0.0.1:11434/v1'}\n"
    )
    (tmp_path / "config" / "models.yaml").write_text(
        "models:\n  - {provider: ollama, id: qwen3, tier: simple, prices: {input: 0, output: 0}}\n"
    )
    gateway = start("serve", "--or-demo", "--port", "0")
    assert "providers: ollama" in gateway.lines
    assert "x-gateway-demo" not in httpx2.get(f"{gateway.url}/healthz").headers
    assert gateway.end() == 0


def test_workers_share_no_ledger_in_memory(invoke: Invoke) -> None:
    """Each worker would have a ledger of its own, so that is refused."""
    result = invoke("serve", "--workers", "2", "--db", ":memory:", **KEYS)
    assert result.exit_code == 1
    assert "name a file in GATEWAY_DB" in result.output


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_serve_refuses_an_impossible_port(invoke: Invoke, port: str) -> None:
    """A port that is none is a usage error."""
    assert invoke("serve", "--port", port, **KEYS).exit_code == 2


def test_spans_reach_the_collector_that_the_environment_names(start: Start, db: Path) -> None:
    """With `telemetry: otel` the OTEL_* variables say where spans go; what waits is sent before the end."""
    config = db.parent / "gateway.yaml"
    config.write_text("telemetry: otel\ndrain_delay: 0\n")
    with Simulator(seed=1) as upstreams, collecting() as collector:
        otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_RESOURCE_ATTRIBUTES": "service.name=mine"}
        environment = {**KEYS, **upstreams, **otel, "GATEWAY_CONFIG": str(config)}
        gateway = start("serve", "--port", "0", "--db", str(db), environment=environment)
        content = "Hello [[fault:503@gemini]]"
        body = {"model": "gemini/gemini-3.8-flash", "stream": True, "messages": [{"role": "user", "content": content}]}
        assert httpx2.post(f"{gateway.url}/v1/chat/completions", json=body).status_code == 503
        assert gateway.end() == 0
        assert {span.name for span in collector.spans if span.kind != 1} == {
            "POST /v1/chat/completions",
            "chat gemini-3.8-flash",
        }
        assert "gen_ai.client.operation.duration" in collector.metrics
        assert collector.resource["service.name"] == "mine"
        assert collector.resource["service.instance.id"]
