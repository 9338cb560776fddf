"""What `telemetry: otel` needs: its packages, and OTEL_* variables that this gateway can follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from gateway.settings.environment import value

PACKAGE = "opentelemetry.exporter.otlp.proto.http"
PROTOCOL = "http/protobuf"
# https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
_PROTOCOLS = tuple(f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL" for signal in ("", "TRACES_", "METRICS_"))
_EXPORTERS = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER")


def otel_problems(environment: Mapping[str, str], package: str = PACKAGE) -> Iterator[str]:
    """Why OpenTelemetry cannot be used as the environment asks, in sentences."""
    if not _installed(package):
        yield "the packages of OpenTelemetry are missing: install the extra, as in pip install 'auto-gateway[otel]'"
    for name in _PROTOCOLS:
        if value(environment, name) not in (None, PROTOCOL):
            yield f"{name} is {environment[name]!r}, but the gateway exports by {PROTOCOL} only; unset it"
    for name in _EXPORTERS:
        if value(environment, name) not in (None, "otlp", "none"):
            yield f"{name} is {environment[name]!r}, but the gateway has the exporters otlp and none only"


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even its parent
        return False
