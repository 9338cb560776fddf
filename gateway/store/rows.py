"""Records as rows and rows as values: money to nano-dollars, JSON, text that SQLite can hold.

No odd figure may cost a row: what cannot be a cost, count or text is stored as unknown or at the column's bound.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, overload

import orjson

from gateway.records import Attempt, RequestRecord
from gateway.store import StoredOutcome
from gateway.wire import Usage

NANO = 10**9
# A million USD for one request: more is an error of the price table, and sums of it must not overflow.
MOST_NANO = 10**6 * NANO
_MOST_INTEGER = 2**63 - 1
_MOST_TEXT = 10_000
_JSON_COLUMNS = ("usage", "candidates", "features")
_BOOLEAN_COLUMNS = ("experimental", "fallback_used", "estimated", "auto_route", "streamed", "session_kept")


def nano(cost: Decimal | None) -> int | None:
    """USD as integer nano-dollars; None for what is not a cost (unknown, NaN, negative)."""
    if cost is None or not cost.is_finite() or cost < 0:
        return None
    return int(min(cost * NANO, Decimal(MOST_NANO)).to_integral_value())


def usd(nanos: float | None) -> float | None:
    return None if nanos is None else nanos / NANO


def record_row(record: RequestRecord, *, owner: str | None) -> dict[str, Any]:
    """All columns of a new row."""
    return {**begun_row(record, owner=owner), **settled_row(record)}


def begun_row(record: RequestRecord, *, owner: str | None) -> dict[str, Any]:
    """The columns that are known when a request begins."""
    return {
        "request_id": text(record.request_id),
        "timestamp": text(record.timestamp),
        "strategy_used": text(record.strategy_used),
        "confidence": text(record.confidence),
        "selected_provider": text(record.selected_provider),
        "selected_model": text(record.selected_model),
        "baseline_provider": text(record.baseline_provider),
        "baseline_model": text(record.baseline_model),
        "pattern_detected": text(record.pattern_detected),
        "complexity_score": real(record.complexity_score),
        "experimental": int(record.experimental),
        "fallback_used": int(record.fallback_used),
        "fallback_reason": text(record.fallback_reason),
        "status": record.status,
        "estimated": int(record.estimated),
        "auto_route": int(record.auto_route),
        "requested_model": text(record.requested_model),
        "reasoning": text(record.reasoning),
        "policy_version": text(record.policy_version),
        "propensity": real(record.propensity),
        "candidates": dumps(list(record.candidates)) if record.candidates else "[]",
        "features": dumps(dict(record.features)) if record.features else "{}",
        "session_id": text(record.session_id),
        "session_kept": None if record.session_kept is None else int(record.session_kept),
        "switch_penalty": real(record.switch_penalty),
        "shadow_provider": text(record.shadow_provider),
        "shadow_model": text(record.shadow_model),
        "key_id": text(record.key_id),
        "client_request_id": text(record.client_request_id),
        "client_retries": integer(record.client_retries),
        "streamed": int(record.streamed),
        "attempts": max(1, len(record.attempts)),
        "owner": owner,
    }


def settled_row(record: RequestRecord) -> dict[str, Any]:
    """The columns that are known only when a request has ended."""
    return {
        "request_id": text(record.request_id),
        "selected_provider": text(record.selected_provider),
        "selected_model": text(record.selected_model),
        "baseline_provider": text(record.baseline_provider),
        "baseline_model": text(record.baseline_model),
        **cost_columns(record.baseline_cost, record.actual_cost),
        "fallback_used": int(record.fallback_used),
        "fallback_reason": text(record.fallback_reason),
        "status": record.status,
        "baseline_cost_low": dollars(record.baseline_cost_low),
        "baseline_cost_high": dollars(record.baseline_cost_high),
        "evidence": text(record.evidence),
        "estimated": int(record.estimated),
        "reasoning": text(record.reasoning),
        **usage_columns(record.usage),
        "shadow_cost": dollars(record.shadow_cost),
        "shadow_cost_nano": nano(record.shadow_cost),
        "price_version": text(record.price_version),
        "streamed": int(record.streamed),
        "http_status": record.http_status,
        "error_code": text(record.error_code),
        "finish_reason": text(record.finish_reason),
        "first_byte": real(record.first_byte),
        "duration": real(record.duration),
        "attempts": max(1, len(record.attempts)),
    }


def cost_columns(baseline: Decimal | None, actual: Decimal | None) -> dict[str, Any]:
    """Costs and what they save: the REAL columns unrounded, the integers to the nano-dollar."""
    baseline_nano, actual_nano = nano(baseline), nano(actual)
    baseline_cost, actual_cost = dollars(baseline), dollars(actual)
    savings = percentage = None
    if baseline_cost is not None and actual_cost is not None:
        savings = baseline_cost - actual_cost
        percentage = 100 * savings / baseline_cost if baseline_cost else 0.0
    return {
        "baseline_cost": baseline_cost,
        "actual_cost": actual_cost,
        "cost_savings": savings,
        "savings_percentage": percentage,
        "baseline_cost_nano": baseline_nano,
        "actual_cost_nano": actual_nano,
    }


def usage_columns(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return dict.fromkeys(
            (
                "prompt_tokens",
                "completion_tokens",
                "cached_tokens",
                "cache_write_tokens",
                "reasoning_tokens",
                "usage",
            )
        )
    return {
        "prompt_tokens": count(usage.prompt_tokens),
        "completion_tokens": count(usage.completion_tokens),
        "cached_tokens": count(usage.cached_tokens),
        "cache_write_tokens": count(usage.cache_write_tokens + usage.cache_write_1h_tokens),
        "reasoning_tokens": count(usage.reasoning_tokens),
        "usage": dumps(dict(usage.raw)),
    }


def attempt_row(request_id: str, attempt: Attempt) -> dict[str, Any]:
    usage = attempt.usage
    return {
        "id": f"{text(request_id)}:{attempt.number}",
        "request_id": text(request_id),
        "number": attempt.number,
        "provider": text(attempt.provider),
        "model": text(attempt.model),
        "status": attempt.status,
        "cost": dollars(attempt.cost),
        "cost_nano": nano(attempt.cost),
        "prompt_tokens": None if usage is None else count(usage.prompt_tokens),
        "completion_tokens": None if usage is None else count(usage.completion_tokens),
        "usage": None if usage is None else dumps(dict(usage.raw)),
        "error": text(attempt.error),
        "upstream_status": attempt.upstream_status,
        "upstream_id": text(attempt.upstream_id),
        "first_byte": real(attempt.first_byte),
        "duration": real(attempt.duration),
    }


def outcome_row(outcome: StoredOutcome) -> dict[str, Any]:
    return {
        "timestamp": text(outcome.timestamp),
        "request_id": text(outcome.request_id),
        "provider": text(outcome.provider),
        "model": text(outcome.model),
        "pattern": text(outcome.pattern),
        "complexity": real(outcome.complexity) or 0.0,
        "quality": real(outcome.quality),
        "cost": real(outcome.cost),
        "input_tokens": integer(outcome.input_tokens),
        "output_tokens": integer(outcome.output_tokens),
        "latency": real(outcome.latency),
        "error": text(outcome.error),
        "features": None if outcome.features is None else dumps(dict(outcome.features)),
        "source": text(outcome.source),
        "weight": real(outcome.weight) or 0.0,
    }


def outcome_of(row: Mapping[str, Any]) -> StoredOutcome:
    return StoredOutcome(**{**row, "features": loads(row["features"])})


def request_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people and the API: JSON columns parsed, flags as booleans, the integers of money left out."""
    values = {name: value for name, value in row.items() if not name.endswith("_nano") and name != "owner"}
    for name in _JSON_COLUMNS:
        if name in values:
            values[name] = loads(values[name])
    for name in _BOOLEAN_COLUMNS:
        if values.get(name) is not None:
            values[name] = bool(values[name])
    return values


@overload
def text(value: str) -> str: ...
@overload
def text(value: object) -> str | None: ...
def text(value: object) -> str | None:
    """Text as SQLite can hold it: valid UTF-8 without NUL, of bounded length."""
    if value is None:
        return None
    written = value if type(value) is str else str(value)
    if not written.isprintable():
        written = written.replace("\0", "").encode(errors="replace").decode()
    return written[:_MOST_TEXT]


def real(value: object) -> float | None:
    """A finite number, or None."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def dollars(cost: Decimal | None) -> float | None:
    """USD as the REAL columns hold it; None for what is not a cost."""
    if cost is None or not cost.is_finite() or cost < 0:
        return None
    return float(min(cost, Decimal(MOST_NANO // NANO)))


def integer(value: int | None) -> int | None:
    return None if value is None else max(-_MOST_INTEGER, min(value, _MOST_INTEGER))


def count(value: int) -> int:
    """A count, never negative; sums of the largest still fit into 64 bits."""
    return max(0, min(value, 2**40))


def dumps(value: object) -> str:
    """Compact JSON; what orjson refuses (huge integers, broken surrogates) is written by the tolerant writer."""
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:
        return json.dumps(value, default=str)


def loads(value: str | None) -> Any:
    """Stored JSON; None for what another tool wrote that is none."""
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None
