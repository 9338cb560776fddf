"""A gateway that serves one caller of its own process."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx2
import pytest

from gateway.app import Gateway
from gateway.server.in_process import call_in_process
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import KEYS
from tests.upstreams import answer


def own_gateway(db: Path) -> Gateway:
    settings = load({**KEYS, "GATEWAY_DB": str(db)})
    return Gateway(settings, transport=HttpxTransport(transport=httpx2.MockTransport(answer("four"))))


def test_a_call_is_answered_and_recorded(tmp_path: Path) -> None:
    """The call gets the real HTTP API on a socket that only its owner reaches; afterwards its row is in the closed ledger."""
    db = tmp_path / "gateway.db"
    found: list[Path] = []

    def call(path: str) -> httpx2.Response:
        found.append(Path(path))
        assert Path(path).parent.stat().st_mode & 0o077 == 0
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=path), base_url="http://localhost") as client:
            messages = [{"role": "user", "content": "2+2?"}]
            return client.post("/v1/chat/completions", json={"model": "auto", "messages": messages})

    response = asyncio.run(call_in_process(own_gateway(db), call))
    assert response.json()["choices"][0]["message"]["content"] == "four"
    store = SqliteStore(db)
    try:
        assert [row["status"] for row in store.requests(limit=5)] == ["ok"]
    finally:
        store.close()
    assert not found[0].exists()


def test_a_call_that_fails_ends_the_gateway_too(tmp_path: Path) -> None:
    """What the call raises is raised, after its open requests have ended, and no thread is left."""
    before = threading.active_count()

    def call(path: str) -> None:
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=path), base_url="http://localhost") as client:
            messages = [{"role": "user", "content": "2+2?"}]
            body = {"model": "auto", "messages": messages, "stream": True}
            with client.stream("POST", "/v1/chat/completions", json=body):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(call_in_process(own_gateway(tmp_path / "gateway.db"), call))
    assert threading.active_count() == before
