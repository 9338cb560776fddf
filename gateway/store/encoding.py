"""Records as rows and rows as values: money to nano-dollars, JSON, text that SQLite can hold.

No odd figure may cost a row: what cannot be a cost, count or text is stored as unknown or at the column's bound.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any, overload

import orjson

from gateway.completion import Usage
from gateway.records import Attempt, RequestRecord
from gateway.store import StoredOutcome

NANO = 10**9
# A million USD for one request: more is an error of the price table, and sums of it must not overflow.
MOST_NANO = 10**6 * NANO
_MOST_USD = Decimal(MOST_NANO // NANO)
_MOST_INTEGER = 2**63 - 1
_MOST_COUNT = 2**40
_MOST_TEXT = 10_000
_JSON_COLUMNS = ("usage", "candidates", "features")

# The columns of a row that begins, in the order of its values; the texts first, for they are looked at together.
_BEGUN_TEXT = (
    "request_id", "timestamp", "strategy_used", "confidence", "selected_provider", "selected_model",
    "baseline_provider", "baseline_model", "pattern_detected", "fallback_reason", "requested_model", "reasoning",
    "policy_version", "session_id", "shadow_provider", "shadow_model", "key_id", "client_request_id", "cache_marks",
)  # fmt: skip
BEGUN = (
    *_BEGUN_TEXT, "complexity_score", "experimental", "fallback_used", "estimated", "auto_route", "propensity", "candidates",
    "features", "session_kept", "switch_penalty", "client_retries", "streamed", "attempts", "owner",
)  # fmt: skip

# Those of a row that ends.
COSTS = (
    "baseline_cost", "actual_cost", "cost_savings", "savings_percentage", "baseline_cost_nano", "actual_cost_nano",
)  # fmt: skip
USAGE = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "usage",
)  # fmt: skip
_SETTLED_TEXT = (
    "selected_provider", "selected_model", "baseline_provider", "baseline_model", "fallback_reason", "status",
    "evidence", "reasoning", "price_version", "error_code", "finish_reason", "cache_marks",
)  # fmt: skip
SETTLED = (
    *_SETTLED_TEXT, *COSTS, "baseline_cost_low", "baseline_cost_high", "shadow_cost", "shadow_cost_nano", *USAGE,
    "fallback_used", "estimated", "streamed", "http_status", "first_byte", "duration", "attempts",
)  # fmt: skip

# Those of an attempt that is over.
_ATTEMPT_TEXT = ("provider", "model", "status", "error", "upstream_id")
ATTEMPTED = (
    *_ATTEMPT_TEXT, "cost", "cost_nano", "prompt_tokens", "completion_tokens", "usage", "upstream_status", "first_byte",
    "duration",
)  # fmt: skip

_BEGUN_TEXTS = attrgetter(*_BEGUN_TEXT)
_SETTLED_TEXTS = attrgetter(*_SETTLED_TEXT, "request_id")
_ATTEMPT_TEXTS = attrgetter(*_ATTEMPT_TEXT)
# What is nobody's business outside of the ledger.
_OWN = ("owner", "counted")
_NO_USAGE = (None,) * len(USAGE)
_NUMBERS = frozenset({int, float})
_BOOLEAN_COLUMNS = ("experimental", "fallback_used", "estimated", "auto_route", "streamed", "session_kept")


def money(cost: Decimal | None) -> tuple[float | None, int | None]:
    """A cost in USD as the REAL columns hold it, and in integer nano-dollars; None for what is not a cost (unknown, NaN, negative)."""
    if cost is None or not cost.is_finite() or cost < 0:
        return None, None
    if cost > _MOST_USD:
        return float(_MOST_USD), MOST_NANO
    exact = cost * NANO
    nanos = round(exact)
    # The same number either way; dividing takes half as long as Python's way from a Decimal to a float, which is by text.
    return nanos / NANO if nanos == exact else float(cost), nanos


def nano(cost: Decimal | None) -> int | None:
    """A cost in USD as integer nano-dollars."""
    return money(cost)[1]


def usd(nanos: float | None) -> float | None:
    return None if nanos is None else nanos / NANO


def begun_row(record: RequestRecord, *, owner: str | None) -> tuple[Any, ...]:
    """What is known when a request begins, in the order of `BEGUN`."""
    return (
        *texts(_BEGUN_TEXTS(record)),
        real(record.complexity_score),
        record.experimental,
        record.fallback_used,
        record.estimated,
        record.auto_route,
        real(record.propensity),
        dumps(list(record.candidates)) if record.candidates else "[]",
        dumps(dict(record.features)) if record.features else "{}",
        record.session_kept,
        real(record.switch_penalty),
        integer(record.client_retries),
        record.streamed,
        len(record.attempts) or 1,
        owner,
    )


def settled_row(record: RequestRecord) -> tuple[Any, ...]:
    """What is known when a request has ended, in the order of `SETTLED`, and last whose row it is."""
    *told, request_id = texts(_SETTLED_TEXTS(record))
    return (
        *told,
        *cost_columns(record.baseline_cost, record.actual_cost),
        money(record.baseline_cost_low)[0],
        money(record.baseline_cost_high)[0],
        *money(record.shadow_cost),
        *usage_columns(record.usage),
        record.fallback_used,
        record.estimated,
        record.streamed,
        record.http_status,
        real(record.first_byte),
        real(record.duration),
        len(record.attempts) or 1,
        request_id,
    )


def cost_columns(baseline: Decimal | None, actual: Decimal | None) -> tuple[Any, ...]:
    """Costs and what they save, in the order of `COSTS`: the REAL columns unrounded, the integers to the nano-dollar."""
    (baseline_cost, baseline_nano), (actual_cost, actual_nano) = money(baseline), money(actual)
    if baseline_cost is None or actual_cost is None:
        return baseline_cost, actual_cost, None, None, baseline_nano, actual_nano
    savings = baseline_cost - actual_cost
    percentage = 100 * savings / baseline_cost if baseline_cost else 0.0
    return baseline_cost, actual_cost, savings, percentage, baseline_nano, actual_nano


def usage_columns(usage: Usage | None) -> tuple[Any, ...]:
    """In the order of `USAGE`."""
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


def attempt_row(attempt: Attempt, request_id: str) -> tuple[Any, ...]:
    """What an attempt came to, in the order of `ATTEMPTED`; then its id, whose it is and which."""
    usage = attempt.usage
    return (
        *texts(_ATTEMPT_TEXTS(attempt)),
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
    """What another tool wrote into a column and is no number or text is unknown: one odd row must not end all learning."""
    values = {
        **row,
        **{name: real(row[name]) for name in ("quality", "cost", "latency")},
        "complexity": real(row["complexity"]) or 0.0,
        "weight": min(1.0, max(0.0, real(row["weight"]) or 0.0)),
        **{name: row[name] if type(row[name]) is int else None for name in ("input_tokens", "output_tokens")},
        **{name: text(row[name]) for name in ("provider", "model", "pattern", "timestamp", "source")},
        "features": _features(row["features"]),
    }
    return StoredOutcome(**values)


def _features(stored: str | None) -> dict[str, float] | None:
    """Those that are finite numbers, which nearly always each one is: then one glance at their types is enough."""
    try:
        told = orjson.loads(stored or "null")
    except ValueError:
        told = loads(stored)  # reads what is not finite too
    else:
        if isinstance(told, dict) and _NUMBERS.issuperset(map(type, told.values())):
            return told
    return {name: value for name, value in told.items() if real(value) is not None} if isinstance(told, dict) else None


def request_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people and the API: JSON columns parsed, flags as booleans, the integers of money left out."""
    values = {name: value for name, value in row.items() if not name.endswith("_nano") and name not in _OWN}
    for name in _JSON_COLUMNS:
        if name in values:
            values[name] = loads(values[name])
    for name in _BOOLEAN_COLUMNS:
        if values.get(name) is not None:
            values[name] = bool(values[name])
    return values


def texts(values: tuple[object, ...]) -> tuple[object, ...]:
    """Each as `text` makes it. One glance at all of them together nearly always shows that there is nothing to make."""
    try:
        together = "".join(filter(None, values))  # type: ignore[arg-type]  # what is no text raises
    except TypeError:
        return tuple(map(text, values))
    return values if together.isprintable() and len(together) <= _MOST_TEXT else tuple(map(text, values))


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


def integer(value: int | None) -> int | None:
    return None if value is None else max(-_MOST_INTEGER, min(value, _MOST_INTEGER))


def count(value: int) -> int:
    """A count, never negative; sums of the largest still fit into 64 bits."""
    return value if 0 <= value <= _MOST_COUNT else max(0, min(value, _MOST_COUNT))


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
