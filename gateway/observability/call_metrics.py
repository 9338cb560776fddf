"""The metrics of OpenTelemetry's conventions for clients of models: duration and tokens of each upstream call.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
"""

from __future__ import annotations

from collections.abc import Collection

from opentelemetry.metrics import Meter

from gateway.observability.spans import gen_ai_attributes
from gateway.records import RequestRecord

# Both as the conventions advise.
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))


class CallMetrics:
    """An observer of settled rows."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Duration of one upstream call.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens of one upstream call.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )

    def observe(self, record: RequestRecord, *, listed: Collection[str]) -> None:
        """Count the calls of one row; a model that is not among the full names `listed` counts as `other`."""
        for attempt in record.attempts:
            if attempt.duration is None:  # it was not made
                continue
            attributes = gen_ai_attributes(record, attempt)
            if f"{attempt.provider}/{attempt.model}" not in listed:
                attributes["gen_ai.request.model"] = "other"
            self._duration.record(attempt.duration, attributes)
            if attempt.usage is not None:
                usage = {"input": attempt.usage.prompt_tokens, "output": attempt.usage.completion_tokens}
                for kind, tokens in usage.items():
                    self._tokens.record(tokens, {**attributes, "gen_ai.token.type": kind})
