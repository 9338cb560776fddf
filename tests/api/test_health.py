"""Alive, and ready."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.routing.estimation.snapshot import FORMAT
from gateway.store import Checkpoint, InsertCheckpoint, InsertOutcome, StoredOutcome
from gateway.store.sqlite import SqliteStore
from tests.conftest import KEYS, MakeGateway
from tests.store.test_connection import damaged


def test_health_answers_without_a_key(make_gateway: MakeGateway) -> None:
    """Health needs no key, by either name."""
    client = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "a-long-enough-client-key"}).client
    assert [client.get(path).status_code for path in ("/healthz", "/health", "/readyz")] == [200, 200, 200]


def test_not_ready_while_draining(make_gateway: MakeGateway) -> None:
    """A gateway that is draining says so, so that nobody sends it more."""
    gateway = make_gateway()
    gateway.app.state.gateway.services.lifecycle.drain()
    assert gateway.client.get("/readyz").status_code == 503


def test_not_ready_without_a_ledger(make_gateway: MakeGateway) -> None:
    """A ledger that cannot be written makes the gateway not ready, and new requests are refused unforwarded."""
    gateway = make_gateway()
    gateway.store.close()
    response = gateway.ask("Hello")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "ledger_unavailable")
    assert gateway.client.get("/readyz").json()["status"] == "degraded"


def test_a_ledger_that_is_found_damaged(
    make_gateway: MakeGateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a day the whole ledger is read; damage is logged with what to do, and makes the gateway not ready."""
    gateway = make_gateway()
    integrity = gateway.app.state.gateway.services.integrity
    integrity.check()
    assert gateway.client.get("/readyz").status_code == 200
    damaged(tmp_path / "gateway.db")
    integrity.check()
    assert "move it away" in caplog.text
    assert gateway.client.get("/readyz").json()["reason"].startswith("the ledger is damaged")


def test_not_ready_until_outcomes_are_learned(make_gateway: MakeGateway) -> None:
    """While the first refresh runs the gateway says that it is starting, so that nobody sends it requests that it would route as a new one."""
    gateway = make_gateway()
    refresh_loop = gateway.app.state.gateway.services.refresh_loop
    refresh_loop.starting = True
    response = gateway.client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (503, "starting")
    refresh_loop.starting = False
    assert gateway.client.get("/readyz").status_code == 200


def test_ready_means_that_the_newest_outcomes_are_known(make_gateway: MakeGateway, tmp_path: Path) -> None:
    """A damaged checkpoint is passed over, the outcomes are learned all the same, and then the gateway is ready."""
    with closing(SqliteStore(tmp_path / "gateway.db")) as store:
        outcome = StoredOutcome(provider="gemini", model="a", pattern="general", complexity=0.3, quality=1.0)
        checkpoint = Checkpoint("saved", FORMAT, learned_to=0, outcomes=0)
        for waiting in [store.submit(InsertOutcome(outcome)) for _ in range(30)]:
            waiting.result()
        store.submit(InsertCheckpoint(checkpoint, b"nonsense")).result()
    gateway = make_gateway()
    deadline = time.monotonic() + 10
    while gateway.client.get("/readyz").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gateway.client.get("/readyz").json() == {"status": "ready"}
    engine = gateway.app.state.gateway.runtime.engine
    assert engine._trainer.snapshot().learned == 30
