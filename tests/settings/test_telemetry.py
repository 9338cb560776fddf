"""What `telemetry: otel` needs."""

from __future__ import annotations

import pytest

from gateway.settings.telemetry import otel_problems
from tests.settings.conftest import Load, Problems


def test_off_is_the_default_and_may_be_written(load_files: Load) -> None:
    """Telemetry is off unless the file asks for it; a bare `off` of YAML is the word."""
    assert load_files().telemetry == "off"
    assert load_files({"gateway.yaml": "telemetry: off\n"}).telemetry == "off"
    assert load_files({"gateway.yaml": "telemetry: otel\n"}).telemetry == "otel"


@pytest.mark.parametrize("package", ["nosuchpackage", "nosuchpackage.below", "opentelemetry.nosuchmodule"])
def test_missing_packages_are_a_problem(package: str) -> None:
    """Without the extra the start is refused with the command that installs it."""
    (problem,) = otel_problems({}, package)
    assert "pip install 'auto-gateway[otel]'" in problem


def test_what_the_gateway_cannot_export_by_is_a_problem(problems_of: Problems) -> None:
    """Another protocol or exporter would lose all spans without a word, so it is refused, with its variable."""
    told = problems_of(
        {"gateway.yaml": "telemetry: otel\n"},
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        OTEL_TRACES_EXPORTER="jaeger",
        OTEL_METRICS_EXPORTER="none",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
    )
    assert [problem.partition("telemetry: ")[2] for problem in told] == [
        "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', but the gateway exports by http/protobuf only; unset it",
        "OTEL_TRACES_EXPORTER is 'jaeger', but the gateway has the exporters otlp and none only",
    ]


def test_the_variables_do_not_matter_where_telemetry_is_off(load_files: Load) -> None:
    """They may be there for other programs."""
    assert load_files(OTEL_EXPORTER_OTLP_PROTOCOL="grpc").telemetry == "off"
