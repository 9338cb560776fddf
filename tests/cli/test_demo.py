"""`gateway demo`."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx2

from tests.cli.conftest import Invoke, Start

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}


def ledger(lines: list[str]) -> Path:
    (line,) = [line for line in lines if line.startswith("demo: ")]
    return Path(line.rpartition(" ")[2])


def test_a_life(start: Start, tmp_path: Path) -> None:
    """Without a key it answers and says what it is; SIGTERM ends it with 0. Its ledger is temporary whatever the file's `db` says."""
    (tmp_path / "gateway.yaml").write_text("db: real.db\n")
    demo = start("demo", "--port", "0", "--config", str(tmp_path / "gateway.yaml"))
    response = httpx2.post(f"{demo.url}/v1/chat/completions", json=BODY)
    assert response.status_code == 200
    assert response.headers["x-gateway-demo"] == "true"
    assert ledger(demo.lines).exists()
    assert demo.end() == 0
    assert not ledger(demo.lines).exists()
    assert not (tmp_path / "real.db").exists()


def test_the_ledger_it_is_given(start: Start, db: Path) -> None:
    """It obeys GATEWAY_DB; real keys and addresses are not used. Ctrl-C ends it as SIGTERM does."""
    environment = {"GATEWAY_DB": str(db), "GEMINI_API_KEY": "real", "GEMINI_BASE_URL": "https://gemini.example"}
    demo = start("demo", "--port", "0", environment=environment)
    assert httpx2.post(f"{demo.url}/v1/chat/completions", json={**BODY, "model": "gemini-flash"}).status_code == 200
    assert demo.end(signal.SIGINT) == 0
    assert ledger(demo.lines) == db
    assert db.exists()


def test_one_process(invoke: Invoke) -> None:
    """Simulated upstreams live in one process, so more workers are refused."""
    assert "leave --workers out" in invoke("demo", "--workers", "2").output


def test_traffic(start: Start, db: Path) -> None:
    """Simulated users fill the ledger of a demo, with its key where it has one, and leave when it ends."""
    demo = start(
        "demo", "--port", "0", "--traffic", "100000", environment={"GATEWAY_DB": str(db), "GATEWAY_API_KEY": "k"}
    )
    asked = 0
    while asked < 3:
        summary = httpx2.get(f"{demo.url}/v1/routing/summary", headers={"authorization": "Bearer k"}).json()
        asked = summary["total_requests"]
    assert summary["error_count"] == 0
    assert demo.end() == 0
    assert any("simulated users: " in line for line in demo.lines)
