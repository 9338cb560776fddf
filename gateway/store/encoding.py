"""Encodes records as column values and decodes rows: nano-dollars, JSON, and text that SQLite can store.

An invalid value never prevents a row from being stored: it becomes NULL, or the limit of its column.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, overload

import orjson

from gateway.completion import Usage
from gateway.records import Agreement, Attempt, PricedRow, RequestRecord
from gateway.store.candidate_columns import from_columns, to_columns
from gateway.store.mutations import StoredOutcome

NANO = 10**9
# A million USD for one request. A higher cost is an error of the price table, and totals must not overflow.
MAX_NANO = 10**6 * NANO
_MAX_USD = Decimal(MAX_NANO // NANO)
_MAX_INTEGER = 2**63 - 1
_MAX_COUNT = 2**40
_MAX_TEXT = 10_000
_JSON_COLUMNS = ("usage", "candidates", "features", "tags", "baseline_usage", "agreement")

# Columns that an insert writes, in the order of `insert_values`. Text columns come first because `texts` checks them together.
_INSERT_TEXT = (
    "request_id", "timestamp", "strategy_used", "confidence", "selected_provider", "selected_model",
    "baseline_provider", "baseline_model", "pattern_detected", "fallback_reason", "requested_model", "reasoning",
    "policy_version", "session_id", "shadow_provider", "shadow_model", "key_id", "client_request_id", "cache_marks",
    "endpoint",
)  # fmt: skip
INSERT_COLUMNS = (
    *_INSERT_TEXT, "complexity_score", "experimental", "fallback_used", "estimated", "auto_route", "propensity", "candidates",
    "features", "session_kept", "switch_penalty", "client_retries", "streamed", "attempts", "owner",
    "tags", "holdback", "agreement",
)  # fmt: skip

# Columns that a settlement writes, in the order of `settle_values`.
COST_COLUMNS = (
    "baseline_cost", "actual_cost", "cost_savings", "savings_percentage", "baseline_cost_nano", "actual_cost_nano",
)  # fmt: skip
USAGE_COLUMNS = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "usage",
)  # fmt: skip
_SETTLE_TEXT = (
    "selected_provider", "selected_model", "baseline_provider", "baseline_model", "fallback_reason", "status",
    "evidence", "reasoning", "price_version", "error_code", "finish_reason", "cache_marks",
    "cache_miss",
)  # fmt: skip
SETTLE_COLUMNS = (
    *_SETTLE_TEXT, *COST_COLUMNS, "baseline_cost_low", "baseline_cost_high", "shadow_cost", "shadow_cost_nano", *USAGE_COLUMNS,
    "fallback_used", "estimated", "streamed", "http_status", "first_byte", "duration", "attempts",
    "baseline_usage", "cache_missed_tokens", "cache_loss", "cache_loss_nano", "agreement",
)  # fmt: skip

# Columns of an attempt, in the order of `attempt_values`.
_ATTEMPT_TEXT = ("provider", "model", "status", "error", "upstream_id")
ATTEMPT_COLUMNS = (
    *_ATTEMPT_TEXT, "cost", "cost_nano", "prompt_tokens", "completion_tokens", "usage", "upstream_status", "first_byte",
    "duration",
)  # fmt: skip

# Columns of an outcome, in the order of `outcome_values`.
OUTCOME_COLUMNS = (
    "timestamp", "request_id", "provider", "model", "pattern", "source", "error", "complexity", "quality", "cost", "input_tokens",
    "output_tokens", "latency", "features", "weight", "agreement",
)  # fmt: skip

# Columns of a row that is priced again, in the order of `PricedRow`, which then has the attempts.
PRICED_COLUMNS = PricedRow._fields[:-1]

_insert_texts = attrgetter(*_INSERT_TEXT)
_settle_texts = attrgetter(*_SETTLE_TEXT, "request_id")
_attempt_texts = attrgetter(*_ATTEMPT_TEXT)
_NO_USAGE = (None,) * len(USAGE_COLUMNS)
_NUMBERS = frozenset({int, float})
BOOLEAN_COLUMNS = ("experimental", "fallback_used", "estimated", "auto_route", "streamed", "session_kept", "holdback")


def money(cost: Decimal | None) -> tuple[float | None, int | None]:
    """A cost in USD for the REAL columns and in integer nano-dollars; None for an unknown, infinite, NaN or negative cost."""
    if cost is None or not cost.is_finite() or cost < 0:
        return None, None
    if cost > _MAX_USD:
        return float(_MAX_USD), MAX_NANO
    exact = cost * NANO
    nanos = round(exact)
    # Both give the same number, but a division takes half as long as `float(Decimal)`, which goes through text.
    return nanos / NANO if nanos == exact else float(cost), nanos


def nano(cost: Decimal | None) -> int | None:
    """A cost in USD as integer nano-dollars."""
    return money(cost)[1]


def usd(nanos: float | None) -> float | None:
    return None if nanos is None else nanos / NANO


def insert_values(record: RequestRecord, *, owner: str | None) -> tuple[Any, ...]:
    """The values of a new row, in the order of `INSERT_COLUMNS`."""
    return (
        *texts(_insert_texts(record)),
        real(record.complexity_score),
        record.experimental,
        record.fallback_used,
        record.estimated,
        record.auto_route,
        real(record.propensity),
        dumps(to_columns(record.candidates)) if record.candidates else "[]",
        dumps(dict(record.features)) if record.features else "{}",
        record.session_kept,
        real(record.switch_penalty),
        integer(record.client_retries),
        record.streamed,
        len(record.attempts) or 1,
        owner,
        dumps(dict(record.tags)) if record.tags else None,
        record.holdback,
        agreement_text(record.agreement),
    )


def settle_values(record: RequestRecord) -> tuple[Any, ...]:
    """The values of a settled row, in the order of `SETTLE_COLUMNS`, then its request id."""
    *text_values, request_id = texts(_settle_texts(record))
    return (
        *text_values,
        *cost_values(record.baseline_cost, record.actual_cost),
        money(record.baseline_cost_low)[0],
        money(record.baseline_cost_high)[0],
        *money(record.shadow_cost),
        *usage_values(record.usage),
        record.fallback_used,
        record.estimated,
        record.streamed,
        record.http_status,
        real(record.first_byte),
        real(record.duration),
        len(record.attempts) or 1,
        dumps(dict(record.baseline_usage)) if record.baseline_usage else None,
        None if record.cache_missed_tokens is None else count(record.cache_missed_tokens),
        *money(record.cache_loss),
        agreement_text(record.agreement),
        request_id,
    )


def cost_values(baseline: Decimal | None, actual: Decimal | None) -> tuple[Any, ...]:
    """Costs and savings in the order of `COST_COLUMNS`: REAL columns unrounded, integers in nano-dollars."""
    (baseline_cost, baseline_nano), (actual_cost, actual_nano) = money(baseline), money(actual)
    if baseline_cost is None or actual_cost is None:
        return baseline_cost, actual_cost, None, None, baseline_nano, actual_nano
    savings = baseline_cost - actual_cost
    percentage = 100 * savings / baseline_cost if baseline_cost else 0.0
    return baseline_cost, actual_cost, savings, percentage, baseline_nano, actual_nano


def usage_values(usage: Usage | None) -> tuple[Any, ...]:
    """Token counts in the order of `USAGE_COLUMNS`."""
    if usage is None:
        return _NO_USAGE
    return (
        count(usage.prompt_tokens),
        count(usage.completion_tokens),
        count(usage.cached_tokens),
        count(usage.cache_write_tokens + usage.cache_write_1h_tokens),
        count(usage.reasoning_tokens),
        dumps(dict(usage.raw)),
    )


def attempt_values(attempt: Attempt, request_id: str) -> tuple[Any, ...]:
    """The values of an attempt in the order of `ATTEMPT_COLUMNS`, then its id, request id and number."""
    usage = attempt.usage
    return (
        *texts(_attempt_texts(attempt)),
        *money(attempt.cost),
        None if usage is None else count(usage.prompt_tokens),
        None if usage is None else count(usage.completion_tokens),
        None if usage is None else dumps(dict(usage.raw)),
        attempt.upstream_status,
        real(attempt.first_byte),
        real(attempt.duration),
        f"{request_id}:{attempt.number}",
        request_id,
        attempt.number,
    )


def outcome_values(outcome: StoredOutcome) -> tuple[Any, ...]:
    """The values of an outcome, in the order of `OUTCOME_COLUMNS`."""
    return (
        text(outcome.timestamp),
        text(outcome.request_id),
        text(outcome.provider),
        text(outcome.model),
        text(outcome.pattern),
        text(outcome.source),
        text(outcome.error),
        real(outcome.complexity) or 0.0,
        real(outcome.quality),
        real(outcome.cost),
        integer(outcome.input_tokens),
        integer(outcome.output_tokens),
        real(outcome.latency),
        None if outcome.features is None else dumps(dict(outcome.features)),
        real(outcome.weight) or 0.0,
        agreement_text(outcome.agreement),
    )


def decode_outcome(row: Mapping[str, Any]) -> StoredOutcome:
    """An outcome from its row. A value of the wrong type, written by another tool, becomes None: one bad row must not stop learning."""
    values = {
        **row,
        **{name: real(row[name]) for name in ("quality", "cost", "latency")},
        "complexity": real(row["complexity"]) or 0.0,
        "weight": min(1.0, max(0.0, real(row["weight"]) or 0.0)),
        **{name: row[name] if type(row[name]) is int else None for name in ("input_tokens", "output_tokens")},
        **{name: text(row[name]) for name in ("provider", "model", "pattern", "timestamp", "source")},
        "features": _features(row["features"]),
        "agreement": decode_agreement(row["agreement"]),
    }
    return StoredOutcome(**values)


def agreement_text(agreement: Agreement | None) -> str | None:
    return None if agreement is None else dumps(agreement._asdict())


def decode_agreement(stored: str | None) -> Agreement | None:
    """None for what is no agreement, written by another tool."""
    parsed = loads(stored)
    models = parsed.get("models") if isinstance(parsed, dict) else None
    if not isinstance(models, list) or not all(isinstance(name, str) for name in models):
        return None
    escalation, agreed = parsed.get("escalation"), parsed.get("agreed")
    return Agreement(
        tuple(models),
        escalation if isinstance(escalation, str) else None,
        agreed if isinstance(agreed, bool) else None,
    )


def _features(stored: str | None) -> dict[str, float] | None:
    """Only the finite numbers. Nearly always all values are numbers, so their types are checked together first."""
    try:
        features = orjson.loads(stored or "null")
    except ValueError:
        features = loads(stored)  # also accepts NaN and Infinity
    else:
        if isinstance(features, dict) and _NUMBERS.issuperset(map(type, features.values())):
            return features
    if not isinstance(features, dict):
        return None
    return {name: value for name, value in features.items() if real(value) is not None}


def decode_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the API shows it: JSON columns parsed, flags as booleans, without nano-dollar columns."""
    values = {name: value for name, value in row.items() if not name.endswith("_nano") and name != "owner"}
    for name in _JSON_COLUMNS:
        if name in values:
            values[name] = loads(values[name])
    if "candidates" in values:
        values["candidates"] = from_columns(values["candidates"])
    for name in BOOLEAN_COLUMNS:
        if values.get(name) is not None:
            values[name] = bool(values[name])
    return values


def texts(values: tuple[object, ...]) -> tuple[object, ...]:
    """Each value as `text` encodes it. All are checked together first, because nearly always none needs a change."""
    try:
        joined = "".join(filter(None, values))  # type: ignore[arg-type]  # a value that is not text raises
    except TypeError:
        return tuple(map(text, values))
    return values if joined.isprintable() and len(joined) <= _MAX_TEXT else tuple(map(text, values))


@overload
def text(value: str) -> str: ...
@overload
def text(value: object) -> str | None: ...
def text(value: object) -> str | None:
    """Text that SQLite can store: valid UTF-8 without NUL, at most `_MAX_TEXT` characters."""
    if value is None:
        return None
    encoded = value if type(value) is str else str(value)
    if not encoded.isprintable():
        encoded = encoded.replace("\0", "").encode(errors="replace").decode()
    return encoded[:_MAX_TEXT]


def real(value: object) -> float | None:
    """A finite number; None for anything else."""
    if value is None:
        return None
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def utc(moment: datetime) -> str:
    """UTC ISO 8601 of fixed width, so that text order is chronological order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def integer(value: int | None) -> int | None:
    return None if value is None else max(-_MAX_INTEGER, min(value, _MAX_INTEGER))


def count(value: int) -> int:
    """A count within 0 and `_MAX_COUNT`, so that totals fit into 64 bits."""
    return value if 0 <= value <= _MAX_COUNT else max(0, min(value, _MAX_COUNT))


def dumps(value: object) -> str:
    """Compact JSON; the standard library writes what orjson rejects (huge integers, lone surrogates)."""
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:
        return json.dumps(value, default=str)


def loads(value: str | None) -> Any:
    """Parsed JSON; None for text that is not JSON, written by another tool."""
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None
