"""Telemetry is opened where the settings ask for it, and only there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

from gateway.app.environment import Environment
from gateway.app.telemetry import open_telemetry, servers_of
from gateway.settings import load
from tests.conftest import KEYS


def test_off_opens_nothing() -> None:
    """Without `telemetry: otel` there is nothing to export to."""
    assert open_telemetry(load({}), Environment()) is None


def test_otel_opens_an_exporter() -> None:
    """With it there is, and it closes at once while it has nothing."""
    telemetry = open_telemetry(replace(load({}), telemetry="otel"), Environment())
    assert telemetry is not None
    telemetry.close()


def test_a_gateway_without_telemetry_imports_none_of_it() -> None:
    """The packages of the extra are not even imported where nothing is exported, so they need not be there."""
    script = """
import json, sys
from gateway.app import Gateway
from gateway.settings import load
Gateway(load({"GATEWAY_DB": ":memory:"})).services.store.close()
print(json.dumps([name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf", "requests"))]))
"""
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)  # noqa: S603 - our own script
    assert json.loads(ended.stdout) == []


def test_servers_are_the_upstreams_addresses() -> None:
    """Host and port of each provider, the scheme's port where none is given."""
    assert servers_of(load({**KEYS, "GEMINI_BASE_URL": "http://127.0.0.1:8899"})) == {
        "gemini": ("127.0.0.1", 8899),
        "claude": ("api.anthropic.com", 443),
        "openrouter": ("openrouter.ai", 443),
    }
