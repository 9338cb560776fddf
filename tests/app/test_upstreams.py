"""Providers and transport as the settings name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app import build_providers, build_transport
from gateway.settings import load
from gateway.transport.http1_client import Http1Transport
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import KEYS


@pytest.mark.parametrize(("engine", "kind"), [("builtin", Http1Transport), ("httpx", HttpxTransport)])
def test_transport_engine_is_the_configured_one(tmp_path: Path, engine: str, kind: type) -> None:
    """The transport is the one that the configuration names."""
    config = tmp_path / "gateway.yaml"
    config.write_text(f"transport:\n  engine: {engine}\n")
    assert isinstance(build_transport(load({}, config=config)), kind)


def test_providers_with_keys_are_built_in_order() -> None:
    """The providers whose keys are set are built in the configuration's order, each with its own key."""
    providers = build_providers(load(KEYS))
    assert list(providers) == ["gemini", "claude", "openrouter"]
    assert providers["claude"].endpoint.api_key == "claude-key"
    assert "claude-key" not in repr(providers["claude"].endpoint)
