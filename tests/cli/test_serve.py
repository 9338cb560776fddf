"""`gateway serve`: what it refuses, and one life of it as a process."""

from __future__ import annotations

import fcntl
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx2
import orjson
import pytest
import uvicorn

from gateway.cli.serve import close_all, listen, run, uvicorn_options
from gateway.settings import load
from llm_simulator import Simulator
from tests.cli.conftest import KEYS, Invoke, Start
from tests.conftest import MakeGateway


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
    """When standard error is a pipe that is full, requests are answered all the same, and SIGTERM ends the process with 0.

    Slow: the process gives a reader of its output two seconds before it ends without one.
    """
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


def test_uvicorn_wraps_nothing_around_the_application(make_gateway: MakeGateway) -> None:
    """uvicorn is told to wrap nothing around the application, so that connections find its direct routes."""
    gateway = make_gateway()
    config = uvicorn.Config(gateway.app, **uvicorn_options(gateway.app.state.gateway.settings))
    config.load()
    assert config.loaded_app is gateway.app


def test_open_to_the_network_without_a_key(invoke: Invoke) -> None:
    """Whoever listens beyond this machine has to set a client key; the refusal says which variable."""
    result = invoke("serve", "--host", "0.0.0.0", **KEYS)
    assert result.exit_code == 2
    assert "set GATEWAY_API_KEY" in result.output


def test_serve_lists_all_configuration_problems_and_starts_nothing(invoke: Invoke, tmp_path: Path) -> None:
    """All problems are told at once, each with its file and line, and nothing is started."""
    config = tmp_path / "gateway.yaml"
    config.write_text("port: 8000\nworker: 2\n")
    result = invoke("serve", "--config", str(config), **KEYS, GATEWAY_WORKERS="0")
    assert result.exit_code == 2
    assert f"error: {config}:2: worker: unknown key; did you mean 'workers'?" in result.output
    assert "error: GATEWAY_WORKERS" in result.output


def test_serve_without_a_provider_offers_the_demo(invoke: Invoke) -> None:
    """Without any provider there is nothing to serve; the demo is offered."""
    result = invoke("serve")
    assert result.exit_code == 1
    assert "gateway demo" in result.output


@pytest.mark.parametrize("arguments", [("serve",), ("serve", "--workers", "2"), ("demo",)], ids=" ".join)
def test_a_port_that_is_in_use(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    """A taken port is one sentence that says what to change, before anything else is printed, and exit status 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = invoke(*arguments, "--port", str(port), **KEYS)
    assert result.exit_code == 1
    assert result.output == (
        f"Error: Port {port} of 127.0.0.1 is in use by another program: choose another with --port or GATEWAY_PORT.\n"
    )


def test_an_address_that_is_not_here(invoke: Invoke) -> None:
    """An address of another machine is one sentence too."""
    result = invoke("serve", "--host", "192.0.2.1", **KEYS, GATEWAY_API_KEY="k" * 20)
    assert result.exit_code == 1
    assert "Error: Port 8000 of 192.0.2.1 cannot be listened on" in result.output
    assert "--host or GATEWAY_HOST" in result.output


def test_every_address_of_a_host_name_is_listened_on() -> None:
    """A name is listened on at all of its addresses, on the same port, and what it lacks here is left out."""
    sockets = listen("localhost", 0)
    try:
        addresses = {each.getsockname()[0] for each in sockets}
        assert "127.0.0.1" in addresses
        assert len({each.getsockname()[1] for each in sockets}) == 1
    finally:
        close_all(sockets)


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


def test_serve_ends_with_the_reason_for_an_unusable_ledger(invoke: Invoke, tmp_path: Path) -> None:
    """A ledger that cannot be opened ends the start with the reason."""
    result = invoke("serve", "--db", str(tmp_path / "absent" / "gateway.db"), **KEYS)
    assert result.exit_code == 1
    assert "cannot be opened" in result.output


def test_too_few_open_files_lower_the_concurrency() -> None:
    """A process that may not open enough files takes fewer requests at once, and says so."""
    script = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
from gateway.cli.serve import within_open_files
from gateway.settings import load
print(within_open_files(load({})).limits.in_flight)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)  # noqa: S603 - shown above
    assert ended.stdout == "64\n"
    assert "warning: this process may have 300 files open" in ended.stderr


def test_failed_start_exits_with_3(make_gateway: MakeGateway, db: Path) -> None:
    """When the application cannot start, here because its ledger is closed already, the exit status is 3."""
    gateway = make_gateway()
    gateway.store.close()
    settings = load({**KEYS, "GATEWAY_PORT": "0", "GATEWAY_DB": str(db)})
    with pytest.raises(SystemExit) as ended:
        run(gateway.app, settings, read=lambda: settings)
    assert ended.value.code == 3


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_serve_refuses_an_impossible_port(invoke: Invoke, port: str) -> None:
    """A port that is none is a usage error."""
    assert invoke("serve", "--port", port, **KEYS).exit_code == 2
