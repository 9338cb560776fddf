"""How the application is put together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from gateway.api.auth import Role
from gateway.app import build_providers, build_transport, create_app, open_ledger
from gateway.errors import LedgerUnavailable
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.transport.http1_client import Http1Transport
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import KEYS, MakeGateway
from tests.store.faulty import faulty_disk

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(("engine", "kind"), [("lean", Http1Transport), ("reference", HttpxTransport)])
def test_engine_of_the_configuration(tmp_path: Path, engine: str, kind: type) -> None:
    """The engine is the one that the configuration names."""
    config = tmp_path / "gateway.yaml"
    config.write_text(f"transport:\n  engine: {engine}\n")
    assert isinstance(build_transport(load({}, config=config)), kind)


def test_providers_in_order() -> None:
    """The providers whose keys are set are built, each with its own key."""
    providers = build_providers(load(KEYS))
    assert list(providers) == ["gemini", "claude", "openrouter"]
    assert providers["claude"].endpoint.api_key == "claude-key"
    assert "claude-key" not in repr(providers["claude"].endpoint)


def test_application_makes_its_own_store_transport_and_clocks(tmp_path: Path) -> None:
    """Given settings alone, the application makes its own store, transport and clocks."""
    app = create_app(load({**KEYS, "GATEWAY_DB": str(tmp_path / "gateway.db")}))
    assert app.routes


def test_a_damaged_ledger_is_kept_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A ledger that cannot be read any more is moved away and named in the log, and a new one is begun."""
    path = tmp_path / "gateway.db"
    whole = open_ledger(load({"GATEWAY_DB": str(path)}), now=lambda: NOW)
    whole.close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192)
    store = open_ledger(load({"GATEWAY_DB": str(path)}), now=lambda: NOW)
    assert store.requests() == []
    store.close()
    (kept,) = tmp_path.glob("gateway.db.damaged-*")
    assert kept.read_bytes().endswith(b"\xff" * 8192)
    assert str(kept) in caplog.text


def test_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    """A start is refused, with what to do, where the ledger could be read but no row could be added."""
    settings = load({"GATEWAY_DB": str(tmp_path / "gateway.db")})
    with faulty_disk() as disk:
        left = SqliteStore(settings.db)
        left.probe()
        disk.fails(apsw.FullError)
        with pytest.raises(LedgerUnavailable, match="free some space"):
            open_ledger(settings, now=lambda: NOW)
        disk.is_well()
        open_ledger(settings, now=lambda: NOW).close()
        left.close()


@pytest.mark.parametrize("demo", [False, True])
def test_demo_header_stands_on_every_answer_of_the_demo(make_gateway: MakeGateway, demo: bool) -> None:
    """In the demo every answer says so, errors too; otherwise none does."""
    client = make_gateway(demo=demo).client
    for path in ("/healthz", "/nowhere"):
        assert client.get(path).headers.get("x-gateway-demo") == ("true" if demo else None)


def test_every_route_asks_for_a_key(make_gateway: MakeGateway) -> None:
    """With keys set nothing but health answers without one: access is decided for each route, and there is no default."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "a-long-enough-client-key"})
    opened = {"/healthz", "/health", "/readyz", "/sign-in", "/sign-out", "/static/{name}"}
    for route in gateway.app.routes:
        path = str(getattr(route, "path", ""))
        method = "POST" if path.endswith(("completions", "route", "feedback")) else "GET"
        status = gateway.client.request(method, path).status_code
        assert (status != 401) == (path in opened), path
    assert len(Role) == 3
