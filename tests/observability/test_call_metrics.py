"""The metrics of OpenTelemetry's conventions for clients of models."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from gateway.completion import Usage
from gateway.observability.call_metrics import SECONDS, TOKENS, CallMetrics
from gateway.records import Attempt, RequestRecord

USAGE = Usage(prompt_tokens=11, completion_tokens=7)
FAILED = Attempt(1, "claude", "haiku", "failed_free", error="upstream_timeout", duration=0.5)
ANSWERED = Attempt(2, "gemini", "flash", "settled", usage=USAGE, duration=2.0)
UNLISTED = Attempt(3, "openrouter", "made/up", "settled", usage=USAGE, duration=1.0)
UNCALLED = Attempt(1, "gemini", "flash", "failed_free")


def observed(*attempts: Attempt) -> dict[str, list[Any]]:
    """The points of each metric, after one row with these attempts."""
    reader = InMemoryMetricReader()
    metrics = CallMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    row = RequestRecord("r", "", "hybrid", "gemini", "flash", "claude", "haiku", attempts=attempts)
    metrics.observe(row, listed={"gemini/flash", "claude/haiku"})
    data = reader.get_metrics_data()
    scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
    return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


def test_each_call_has_its_duration() -> None:
    """Failed calls too, with the code of their error."""
    points = observed(FAILED, ANSWERED)["gen_ai.client.operation.duration"]
    assert [(dict(point.attributes), point.sum) for point in points] == [
        (
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "haiku",
                "error.type": "upstream_timeout",
            },
            0.5,
        ),
        (
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "gcp.gemini",
                "gen_ai.request.model": "flash",
            },
            2.0,
        ),
    ]
    assert points[0].explicit_bounds == SECONDS


def test_tokens_are_counted_by_kind() -> None:
    """Input and output are two series; a call without usage has none."""
    points = observed(FAILED, ANSWERED)["gen_ai.client.token.usage"]
    assert [(point.attributes["gen_ai.token.type"], point.sum) for point in points] == [("input", 11), ("output", 7)]
    assert points[0].explicit_bounds == TOKENS


def test_names_that_clients_choose_are_no_series() -> None:
    """A model that the catalogue does not list counts as `other`."""
    points = observed(UNLISTED)["gen_ai.client.operation.duration"]
    assert [point.attributes["gen_ai.request.model"] for point in points] == ["other"]


def test_a_call_that_was_not_made_does_not_count() -> None:
    """The attempt that a refused row names has no duration."""
    assert observed(UNCALLED) == {}
