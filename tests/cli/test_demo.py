"""`gateway demo`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import orjson

from tests.cli.conftest import Invoke, Running, Start, without_privilege
from tests.documents import ROOT

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}


def ledger(lines: list[str]) -> Path:
    (line,) = [line for line in lines if line.startswith("demo: ")]
    return Path(line.rpartition(" ")[2])


def ask(demo: Running) -> httpx2.Response:
    return httpx2.post(f"{demo.url}/v1/chat/completions", json=BODY)


def test_demo_serves_without_key_and_ends_with_0_on_sigterm(start: Start, tmp_path: Path) -> None:
    """Without a key it answers and says what it is; SIGTERM ends it with 0. The file's `db` is not the demo's."""
    (tmp_path / "gateway.yaml").write_text("db: real.db\n")
    demo = start("demo", "--port", "0", "--config", str(tmp_path / "gateway.yaml"))
    response = ask(demo)
    assert response.status_code == 200
    assert response.headers["x-gateway-demo"] == "true"
    assert demo.end() == 0
    assert not (tmp_path / "real.db").exists()


def test_demo_ledger_stays_after_the_end_and_is_emptied_at_the_next_start(
    start: Start, invoke: Invoke, tmp_path: Path
) -> None:
    """The ledger is gateway-demo.db in the working directory, which `report` finds while the demo runs and afterwards; the next demo starts empty.

    Slow: two starts of the whole demo; `report` runs beside it as users run it.
    """
    demo = start("demo", "--port", "0")
    assert ledger(demo.lines) == Path("gateway-demo.db")
    assert ask(demo).status_code == 200
    running = invoke("report", "--json", GATEWAY_DB="")
    assert demo.end() == 0
    ended = invoke("report", "--json", GATEWAY_DB="")
    for told in (running, ended):
        assert orjson.loads(told.stdout)["requests"] == 1
        assert "this is the demo's ledger, gateway-demo.db" in told.stderr
    again = start("demo", "--port", "0")
    assert orjson.loads(invoke("report", "--json", GATEWAY_DB="").stdout)["requests"] == 0
    assert again.end() == 0


def test_second_demo_uses_a_temporary_ledger(start: Start, tmp_path: Path) -> None:
    """The second one leaves the first one's ledger alone: its own is temporary, and goes with it."""
    first = start("demo", "--port", "0")
    assert ask(first).status_code == 200
    second = start("demo", "--port", "0")
    temporary = ledger(second.lines)
    assert temporary.is_absolute()
    assert temporary.exists()
    assert httpx2.get(f"{first.url}/v1/routing/summary").json()["total_requests"] == 1
    assert second.end() == 0
    assert not temporary.exists()


def test_demo_uses_the_given_ledger_and_no_real_keys(start: Start, db: Path) -> None:
    """It obeys GATEWAY_DB; real keys and addresses are not used. Ctrl-C ends it as SIGTERM does."""
    environment = {
        "GATEWAY_DB": str(db),
        "GEMINI_API_KEY": "real",
        "ANTHROPIC_API_KEY_FILE": "/nowhere",
        "GEMINI_BASE_URL": "https://gemini.example",
    }
    demo = start("demo", "--port", "0", environment=environment)
    assert httpx2.post(f"{demo.url}/v1/chat/completions", json={**BODY, "model": "gemini-flash"}).status_code == 200
    assert demo.end(signal.SIGINT) == 0
    assert ledger(demo.lines) == db
    assert db.exists()


def test_demo_refuses_more_than_one_worker(invoke: Invoke) -> None:
    """Simulated upstreams live in one process, so more workers are refused."""
    assert "omit --workers" in invoke("demo", "--workers", "2").output


def test_demo_traffic_fills_the_ledger_and_ends_with_it(start: Start, db: Path) -> None:
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


def test_demo_with_a_history_shows_days_before_its_start(start: Start, invoke: Invoke, db: Path) -> None:
    """The page stands while simulated days are written; `report` sees them; the end of the demo ends the writing.

    Slow: the history is written by a process of its own, which imports the gateway first.
    """
    demo = start("demo", "--port", "0", "--history", "365", environment={"GATEWAY_DB": str(db)})
    assert httpx2.get(demo.url).status_code == 200
    asked = 0
    while asked < 3:
        asked = httpx2.get(f"{demo.url}/v1/routing/summary?days=400").json()["total_requests"]
    told = orjson.loads(invoke("report", "--json", "--since", "400d", GATEWAY_DB=str(db)).stdout)
    assert told["requests"] >= 3
    assert demo.end() == 0


def test_demo_in_a_read_only_directory_uses_a_temporary_ledger(tmp_path: Path) -> None:
    """A demo in such a directory keeps its ledger in a temporary file."""
    tmp_path.chmod(0o555)
    try:
        program = "from gateway.cli.demo import own_ledger\nwith own_ledger() as path: print(path.is_absolute(), path.parent.exists())"
        ended = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=without_privilege,
        )
    finally:
        tmp_path.chmod(0o755)
    assert ended.stdout == "True True\n"
