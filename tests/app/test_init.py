"""The application as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.settings import load
from tests.conftest import KEYS, MakeGateway


def test_settings_alone_make_an_application(tmp_path: Path) -> None:
    """From settings alone, the application makes its own store, transport and clocks."""
    app = create_app(load({**KEYS, "GATEWAY_DB": str(tmp_path / "gateway.db")}))
    assert app.routes


@pytest.mark.parametrize("demo", [False, True])
def test_demo_header_is_on_every_answer(make_gateway: MakeGateway, demo: bool) -> None:
    """In the demo every answer says so, errors too; otherwise none does."""
    client = make_gateway(demo=demo).client
    for path in ("/healthz", "/nowhere"):
        assert client.get(path).headers.get("x-gateway-demo") == ("true" if demo else None)
