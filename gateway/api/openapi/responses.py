"""The answers of the gateway's own routes, and the errors of all routes, as JSON Schema."""

from __future__ import annotations

from gateway.api.openapi.json_schema import (
    ANYTHING,
    BOOLEAN,
    OBJECT,
    Schema,
    listed,
    mapped,
    named,
    nullable,
    number,
    one_of,
    record,
    text,
    whole,
)

ERROR = record(
    {
        "error": record(
            {
                "message": text("For people."),
                "type": text("OpenAI's type of error, such as `invalid_request_error`."),
                "param": nullable(text("The member of the request that is wrong.")),
                "code": nullable(text("For programs, such as `model_not_found`.")),
            }
        )
    }
)

_LEVEL = nullable(one_of("high", "medium", "low"))
_COUNT = whole(low=0)
_USD = number("USD")
_MAYBE = nullable(number())

MODEL = record(
    {"id": text(), "object": one_of("model"), "created": _COUNT, "owned_by": text()},
    optional={
        "context_length": nullable(_COUNT),
        "max_completion_tokens": nullable(_COUNT),
        "tier": one_of("simple", "moderate", "complex"),
        "abilities": nullable(listed(text())),
        "pricing": mapped(text("USD per token, in plain digits.")),
    },
)
MODELS = record({"object": one_of("list"), "data": listed(named("Model"), least=1)})

DECISION = record(
    {
        "object": one_of("routing.decision"),
        "model": text("The full name of the model that would be called."),
        "provider": text(),
        "strategy_used": text(),
        "confidence": _LEVEL,
        "reasoning": text(),
        "fallback_used": BOOLEAN,
        "fallback_reason": nullable(text()),
        "experimental": BOOLEAN,
        "pattern": nullable(text()),
        "complexity": nullable(number(low=0, high=1)),
        "propensity": nullable(number(low=0, high=1)),
        "quality_score": _MAYBE,
        "cost_estimate": nullable(_USD),
        "baseline_model": text(),
        "candidates": listed(record({"provider": text(), "model": text()})),
        "features": mapped(number()),
        "needs": listed(text()),
        "prompt_tokens": nullable(_COUNT),
        "cache_marks": nullable(one_of("client", "gateway")),
    }
)

FEEDBACK = record(
    {"object": one_of("feedback"), "score": number(low=0, high=1)},
    optional={
        "request_id": text(),
        "session_id": text(),
        "tag": {"type": "object", "additionalProperties": text()},
        "requests": whole(low=0),
    },
)

_COUNTS = (
    *("total_requests", "auto_routed_count", "fallback_count", "experimental_count", "error_count", "cancelled_count"),
    *("estimated_count", "unpriced_requests", "prompt_tokens", "completion_tokens", "cached_tokens", "feedback_count"),
)
_SUMS: dict[str, Schema] = {
    **dict.fromkeys(_COUNTS, _COUNT),
    **dict.fromkeys(("total_cost", "total_baseline_cost", "total_savings"), _USD),
    **dict.fromkeys(("saved_share", "avg_savings_pct", "avg_quality", "avg_duration"), _MAYBE),
}
SUMMARY = record(
    {
        "days": number(),
        **_SUMS,
        "open_requests": _COUNT,
        "by_model": listed(record({"provider": text(), "model": text(), **_SUMS})),
        "by_strategy": listed(record({"strategy": text(), **_SUMS})),
    }
)
_MONEY = ("spent", "compared", "baseline", "baseline_low", "baseline_high", "saved", "saved_low", "saved_high")
REPORT = record(
    {
        "since": nullable(text()),
        "until": nullable(text()),
        "requests": _COUNT,
        "routed": _COUNT,
        "refused": _COUNT,
        "errors": _COUNT,
        "unpriced": _COUNT,
        **{f"{name}_usd": number() for name in (*_MONEY, "exploration", "holdback")},
        **dict.fromkeys(("saved_share", "saved_share_low", "saved_share_high"), nullable(number())),
        "saved_enough": BOOLEAN,
        "saved_requests_missing": nullable(_COUNT),
        "baselines": mapped(number()),
        "evidence": mapped(_COUNT),
        "quality": {"type": "object"},
        "caches": {"type": "object"},
        "always": listed({"type": "object"}),
        "best_single": nullable({"type": "object"}),
        "refusals": listed({"type": "object"}),
        "by": listed({"type": "object"}),
        "method": text(),
    }
)
CONFIDENCE = mapped(_COUNT)
PATTERNS = record(
    {
        "data": listed(
            record({"model": text(), "pattern": nullable(text()), "count": _COUNT, "avg_savings": nullable(_USD)})
        )
    }
)
TIMELINE = record({"data": listed(record({"bucket": text("A UTC day or hour."), **_SUMS}))})

_MAYBE_TEXT = nullable(text())
ROW = record(
    {
        "id": _COUNT,
        "request_id": text(),
        "timestamp": text("UTC, ISO 8601"),
        "strategy_used": text(),
        "confidence": _LEVEL,
        **dict.fromkeys(("selected_provider", "selected_model", "baseline_provider", "baseline_model"), _MAYBE_TEXT),
        **dict.fromkeys(("baseline_cost", "actual_cost", "cost_savings", "savings_percentage"), _MAYBE),
        "pattern_detected": _MAYBE_TEXT,
        "complexity_score": _MAYBE,
        "experimental": BOOLEAN,
        "fallback_used": BOOLEAN,
        "fallback_reason": _MAYBE_TEXT,
        "status": one_of("open", "ok", "error", "cancelled", "interrupted"),
    }
)
ROWS = record({"data": listed(named("Row")), "next_before": nullable(whole("`before` of the next page."))})
WHOLE_ROW = {"allOf": [named("Row"), record({"attempts": listed(OBJECT), "feedback": nullable(OBJECT)})]}

HEALTH = record({"status": one_of("ok", "ready", "draining", "degraded")}, optional={"reason": text()})
DESCRIPTION = record(
    {"openapi": text(pattern="^3\\.1\\."), "info": OBJECT, "paths": mapped(OBJECT)}, optional={"components": ANYTHING}
)
