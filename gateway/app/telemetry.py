"""Opens the telemetry that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.app.environment import Environment
from gateway.settings import Settings

if TYPE_CHECKING:  # not a package of every installation
    from gateway.observability.otel import OtelTelemetry

_PORTS = {"http": 80, "https": 443}


def open_telemetry(settings: Settings, environment: Environment) -> OtelTelemetry | None:
    """None where nothing is exported: then no package of OpenTelemetry is imported."""
    if settings.telemetry == "off":
        return None
    from gateway.observability.otel import OtelTelemetry

    return OtelTelemetry(clock=environment.clock, now=environment.now)


def servers_of(settings: Settings) -> Mapping[str, tuple[str, int]]:
    """Host and port of each provider."""
    addresses = {entry.name: urlsplit(entry.base_url) for entry in settings.providers}
    return {
        name: (address.hostname or "", address.port or _PORTS[address.scheme]) for name, address in addresses.items()
    }
