"""What can be asked of a ledger: sums by period, and its rows."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.errors import InvalidRequest
from gateway.store import StoredOutcome, rows, sql

_MOST_DAYS = 36_500.0
_MOST_ROWS = 1_000
_DAYS_BY_HOUR = 3
_HOUR_WIDTH, _DAY_WIDTH = len("2026-11-22T10"), len("2026-11-22")
_COUNTS = (
    "total_requests",
    "auto_routed_count",
    "fallback_count",
    "experimental_count",
    "error_count",
    "cancelled_count",
    "estimated_count",
    "unpriced_requests",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "feedback_count",
    "high",
    "medium",
    "low",
)
_MONEY = ("total_cost", "total_baseline_cost", "total_savings")


def period(days: float | None, *, now: datetime) -> dict[str, str]:
    """The bounds of the last `days` as the queries take them: whole hours after `edge`, and rows of that hour from `since`."""
    if days is None:
        return {"edge": "", "since": "", "next": ""}
    if not (math.isfinite(days) and days > 0):
        raise InvalidRequest("days has to be a number above 0.", param="days")
    since = now.astimezone(UTC) - timedelta(days=min(days, _MOST_DAYS))
    return {
        "edge": since.strftime("%Y-%m-%dT%H"),
        "since": since.strftime("%Y-%m-%dT%H:%M:%S"),
        "next": (since + timedelta(hours=1)).strftime("%Y-%m-%dT%H"),
    }


def summary(connection: sqlite3.Connection, *, days: float, now: datetime) -> dict[str, Any]:
    bounds = period(days, now=now)
    return {
        "days": days,
        **_sums(connection.execute(sql.SUMMARY, bounds).fetchone()),
        "open_requests": connection.execute(sql.OPEN_COUNT, bounds).fetchone()[0],
        "by_model": [_sums(row) for row in connection.execute(sql.SUMMARY_BY_MODEL, bounds)],
        "by_strategy": [_sums(row) for row in connection.execute(sql.SUMMARY_BY_STRATEGY, bounds)],
    }


def timeline(connection: sqlite3.Connection, *, days: float, now: datetime) -> list[dict[str, Any]]:
    width = _HOUR_WIDTH if days <= _DAYS_BY_HOUR else _DAY_WIDTH
    cursor = connection.execute(sql.TIMELINE, {**period(days, now=now), "width": width})
    return [_sums(row) for row in cursor]


def confidence(connection: sqlite3.Connection, *, days: float | None, now: datetime) -> dict[str, int]:
    cursor = connection.execute(sql.CONFIDENCE, period(days, now=now))
    return {level or "unknown": int(count) for level, count in cursor}


def patterns(connection: sqlite3.Connection, *, days: float | None, now: datetime) -> list[dict[str, Any]]:
    cursor = connection.execute(sql.PATTERNS, period(days, now=now))
    return [{**dict(row), "count": int(row["count"]), "avg_savings": rows.usd(row["avg_savings"])} for row in cursor]


def requests(
    connection: sqlite3.Connection, *, limit: int, before: int | None, filters: Mapping[str, object]
) -> list[dict[str, Any]]:
    for name in filters:
        if name not in sql.FILTERS:
            raise InvalidRequest(f"{name} is no column to filter by; these are: {', '.join(sql.FILTERS)}.", param=name)
    wanted = {name: _value(filters.get(name)) for name in sql.FILTERS}
    bounded = max(1, min(limit, _MOST_ROWS))
    cursor = connection.execute(sql.REQUESTS, {**wanted, "before": rows.integer(before), "limit": bounded})
    return [rows.request_of(row) for row in cursor]


def request(connection: sqlite3.Connection, request_id: str) -> dict[str, Any] | None:
    written = rows.text(request_id)
    row = connection.execute(sql.REQUEST, (written,)).fetchone()
    if row is None:
        return None
    feedback = connection.execute(sql.FEEDBACK_OF, (written,)).fetchone()
    attempts = connection.execute(sql.ATTEMPTS, {"request_id": written})
    return {
        **rows.request_of(row),
        "attempts": [rows.request_of(attempt) for attempt in attempts],
        "feedback": None if feedback is None else dict(feedback),
    }


def outcomes(connection: sqlite3.Connection, *, after: int, limit: int) -> list[StoredOutcome]:
    return [rows.outcome_of(row) for row in connection.execute(sql.OUTCOMES, (after, limit))]


def _sums(row: sqlite3.Row) -> dict[str, Any]:
    sums = dict(row)
    for name in _COUNTS:
        if name in sums:
            sums[name] = int(sums[name])
    for name in _MONEY:
        sums[name] = rows.usd(sums[name])
    return sums


def _value(value: object) -> object:
    """A filter's value as the column holds it."""
    return value if isinstance(value, bool | int | float) else rows.text(value)
