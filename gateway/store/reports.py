"""What can be asked of a ledger: sums by period, and its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw

from gateway.errors import InvalidRequest
from gateway.store import StoredOutcome, encoding, sql

_MOST_DAYS = 36_500.0
_MOST_ROWS = 1_000
_DAYS_BY_HOUR = 3
_DAY, _HOUR, _SECOND = "%Y-%m-%d", "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M:%S"
# Sorts behind every day and hour.
_NEVER = "~"
_COUNTS = {
    "total_requests": "requests",
    "auto_routed_count": "learned",
    "fallback_count": "fallbacks",
    "experimental_count": "experimental",
    "error_count": "errors",
    "cancelled_count": "cancelled",
    "estimated_count": "estimated",
    "unpriced_requests": "unpriced",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "cached_tokens": "cached_tokens",
    "feedback_count": "feedbacks",
}
_MONEY = {"total_cost": "cost_nano", "total_baseline_cost": "baseline_nano", "total_savings": "savings_nano"}
_SHADOW_MONEY = ("cost_nano", "shadow_nano")
_MEANS = {
    "avg_savings_pct": ("percentage_sum", "percentages"),
    "avg_quality": ("quality_sum", "feedbacks"),
    "avg_duration": ("duration_sum", "durations"),
}

_MEASURES = (*_COUNTS.values(), *_MONEY.values(), *(name for mean in _MEANS.values() for name in mean))


def period(days: float | None, *, now: datetime) -> dict[str, str]:
    """The bounds of the last `days` (None: of everything) as the queries take them."""
    if days is None:
        return {"first_day": "", "first_hour": "", "next_day": "", "since": "", "next_hour": ""}
    if not (math.isfinite(days) and days > 0):
        raise InvalidRequest("days has to be a number above 0.", param="days")
    since = now.astimezone(UTC) - timedelta(days=min(days, _MOST_DAYS))
    return {
        "first_day": since.strftime(_DAY),
        "first_hour": since.strftime(_HOUR),
        "next_day": (since + timedelta(days=1)).strftime(_DAY),
        "since": since.strftime(_SECOND),
        "next_hour": (since + timedelta(hours=1)).strftime(_HOUR),
    }


def summary(connection: apsw.Connection, *, days: float, now: datetime) -> dict[str, Any]:
    bounds = period(days, now=now)
    groups = sql.found(connection, sql.SUMMARY, bounds)
    return {
        "days": days,
        **_told(groups),
        "open_requests": connection.execute(sql.OPEN_COUNT).get,
        "by_model": _by(groups, "provider", "model"),
        "by_strategy": _by(groups, "strategy"),
    }


def timeline(connection: apsw.Connection, *, days: float, now: datetime) -> list[dict[str, Any]]:
    bounds = period(days, now=now)
    width = len("2026-11-22")
    if days <= _DAYS_BY_HOUR:
        bounds, width = {**bounds, "first_day": _NEVER, "next_day": _NEVER}, len("2026-11-22T10")
    groups = sql.found(connection, sql.TIMELINE, {**bounds, "width": width})
    return [
        {"bucket": row["bucket"], **_told([row]), **{level: int(row[level]) for level in ("high", "medium", "low")}}
        for row in groups
    ]


def confidence(connection: apsw.Connection, *, days: float | None, now: datetime) -> dict[str, int]:
    levels = sql.found(connection, sql.CONFIDENCE, period(days, now=now))
    return {row["confidence"] or "unknown": int(row["count"]) for row in levels}


def patterns(connection: apsw.Connection, *, days: float | None, now: datetime) -> list[dict[str, Any]]:
    groups = sql.found(connection, sql.PATTERNS, period(days, now=now))
    return [{**row, "count": int(row["count"]), "avg_savings": encoding.usd(row["avg_savings"])} for row in groups]


def strong_share_by_key(connection: apsw.Connection, *, newest: int) -> list[dict[str, Any]]:
    return sql.found(connection, sql.BY_KEY, (newest,))


def requests(
    connection: apsw.Connection, *, limit: int, before: int | None, filters: Mapping[str, object]
) -> list[dict[str, Any]]:
    for name in filters:
        if name not in sql.FILTERS:
            raise InvalidRequest(f"{name} is no column to filter by; these are: {', '.join(sql.FILTERS)}.", param=name)
    wanted = {name: _value(value) for name, value in filters.items() if value is not None}
    bounded = max(1, min(limit, _MOST_ROWS))
    query = sql.requests(wanted, before=before)
    found = sql.found(connection, query, {**wanted, "before": encoding.integer(before), "limit": bounded})
    return [encoding.request_of(row) for row in found]


def request(connection: apsw.Connection, request_id: str) -> dict[str, Any] | None:
    written = encoding.text(request_id)
    row = sql.found(connection, sql.REQUEST, (written,))
    if not row:
        return None
    feedback = sql.found(connection, sql.FEEDBACK_OF, (written,))
    attempts = sql.found(connection, sql.ATTEMPTS, {"request_id": written})
    return {
        **encoding.request_of(row[0]),
        "attempts": [encoding.request_of(attempt) for attempt in attempts],
        "feedback": feedback[0] if feedback else None,
    }


def shadow(connection: apsw.Connection, *, days: float, now: datetime) -> dict[str, Any]:
    groups = sql.found(connection, sql.SHADOW, period(days, now=now))
    sums = {name: sum(group[name] for group in groups) for name in ("requests", "same", "unpriced", *_SHADOW_MONEY)}
    return {
        "days": days,
        **_shadowed(sums),
        "by_model": [
            {"provider": group["shadow_provider"], "model": group["shadow_model"], **_shadowed(group)}
            for group in groups
        ],
    }


def outcomes(connection: apsw.Connection, *, after: int, limit: int) -> list[StoredOutcome]:
    return [encoding.outcome_of(row) for row in sql.found(connection, sql.OUTCOMES, (after, limit))]


def newest_outcome(connection: apsw.Connection) -> int:
    return int(connection.execute(sql.NEWEST_OUTCOME).get)


def _by(groups: Sequence[Mapping[str, Any]], *names: str) -> list[dict[str, Any]]:
    """The groups that share the values of `names`, added up, the busiest first."""
    shared: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for group in groups:
        shared.setdefault(tuple(group[name] for name in names), []).append(group)
    told = [{**dict(zip(names, key, strict=True)), **_told(members)} for key, members in sorted(shared.items())]
    return sorted(told, key=lambda sums: -int(sums["total_requests"]))


def _told(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The groups' sums and means under the names that reports give them; money in USD, means None without anything to mean."""
    sums = {name: sum(group[name] for group in groups) for name in _MEASURES}
    baseline = sums["baseline_nano"]
    return {
        "saved_share": sums["savings_nano"] / baseline if baseline else None,
        **{told: int(sums[name]) for told, name in _COUNTS.items()},
        **{told: sums[name] / encoding.NANO for told, name in _MONEY.items()},
        **{told: sums[total] / sums[count] if sums[count] else None for told, (total, count) in _MEANS.items()},
    }


def _shadowed(sums: Mapping[str, Any]) -> dict[str, Any]:
    """In USD; only requests with both prices count in the money."""
    cost, would_be = (sums[name] / encoding.NANO for name in _SHADOW_MONEY)
    return {
        "shadow_requests": int(sums["requests"]),
        "same_choice": int(sums["same"]),
        "unpriced_requests": int(sums["unpriced"]),
        "total_cost": cost,
        "total_shadow_cost": would_be,
        "total_would_save": cost - would_be,
        "would_save_pct": 100 * (cost - would_be) / cost if cost else None,
    }


def _value(value: object) -> object:
    """A filter's value as the column holds it."""
    return value if isinstance(value, bool | int | float) else encoding.text(value)
