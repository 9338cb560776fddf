"""What a response says from the request's row: id, model, usage with costs, the answering model."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

from gateway.catalog import plain_number
from gateway.completion import ChatRequest, Usage
from gateway.dialects import ResponseHead
from gateway.records import RequestRecord


def response_head(record: RequestRecord, request: ChatRequest, *, created: int) -> ResponseHead:
    """`created` is Unix time in seconds."""
    return ResponseHead(record.request_id, created, f"{record.selected_provider}/{record.selected_model}", request)


def openai_usage(record: RequestRecord) -> dict[str, Any]:
    """OpenAI's usage object with OpenRouter's `cost` and the gateway's `cost_details` (USD)."""
    usage = record.usage or Usage()
    return {
        **usage.openai(),
        "cost": _number(record.actual_cost),
        "cost_details": {
            "baseline_model": f"{record.baseline_provider}/{record.baseline_model}",
            "baseline_cost": _number(record.baseline_cost),
            "baseline_cost_low": _number(record.baseline_cost_low),
            "baseline_cost_high": _number(record.baseline_cost_high),
            "savings": _number(record.cost_savings),
            "evidence": record.evidence,
        },
    }


def answered_by(record: RequestRecord) -> dict[str, Any]:
    """The answering model and the number of attempts, for a stream whose headers were sent before they were known."""
    fields: dict[str, Any] = {
        "provider": record.selected_provider,
        "model": record.selected_model,
        "attempts": len(record.attempts) or 1,
        "fallback": record.fallback_used,
    }
    return {**fields, "fallback_reason": record.fallback_reason} if record.fallback_used else fields


def _number(amount: Decimal | None) -> float | orjson.Fragment | None:
    return None if amount is None else plain_number(float(amount))
