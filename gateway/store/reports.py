"""Reports on a ledger: totals by period, and rows. Each is a function of a connection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from gateway.errors import InvalidRequest
from gateway.store import encoding, sql
from gateway.store.mutations import StoredOutcome
from gateway.store.sql import Connection

_MAX_DAYS = 36_500.0
_MAX_ROWS = 1_000
_MAX_TAGS = 16  # of a request
_MAX_HOURLY_DAYS = 3
_DAY, _HOUR, _SECOND = "%Y-%m-%d", "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M:%S"
# Sorts after every day and hour.
_AFTER_ALL = "~"
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
    """The bounds of the last `days` as query parameters; None means the whole ledger. Raises InvalidRequest."""
    if days is None:
        return {"first_day": "", "first_hour": "", "next_day": "", "since": "", "next_hour": ""}
    if not (math.isfinite(days) and days > 0):
        raise InvalidRequest("days has to be a number above 0.", param="days")
    since = now.astimezone(UTC) - timedelta(days=min(days, _MAX_DAYS))
    return {
        "first_day": since.strftime(_DAY),
        "first_hour": since.strftime(_HOUR),
        "next_day": (since + timedelta(days=1)).strftime(_DAY),
        "since": since.strftime(_SECOND),
        "next_hour": (since + timedelta(hours=1)).strftime(_HOUR),
    }


def summary(connection: Connection, *, days: float, now: datetime) -> dict[str, Any]:
    bounds = period(days, now=now)
    groups = sql.dicts(connection, sql.SUMMARY, bounds)
    return {
        "days": days,
        **_totals(groups),
        "open_requests": connection.execute(sql.OPEN_COUNT).get,
        "by_model": _grouped(groups, "provider", "model"),
        "by_strategy": _grouped(groups, "strategy"),
    }


def timeline(connection: Connection, *, days: float, now: datetime) -> list[dict[str, Any]]:
    groups = sql.dicts(connection, sql.TIMELINE, _timeline_bounds(days, now=now))
    return [
        {"bucket": row["bucket"], **_totals([row]), **{level: int(row[level]) for level in ("high", "medium", "low")}}
        for row in groups
    ]


def confidence_timeline(connection: Connection, *, days: float, now: datetime) -> list[dict[str, Any]]:
    return sql.dicts(connection, sql.CONFIDENCE_TIMELINE, _timeline_bounds(days, now=now))


def _timeline_bounds(days: float, *, now: datetime) -> dict[str, Any]:
    """Those of `period`, and the `width` of a bucket's name: an hour's up to three days, else a day's."""
    bounds = period(days, now=now)
    if days <= _MAX_HOURLY_DAYS:
        return {**bounds, "first_day": _AFTER_ALL, "next_day": _AFTER_ALL, "width": len("2026-11-22T10")}
    return {**bounds, "width": len("2026-11-22")}


def confidence(connection: Connection, *, days: float | None, now: datetime) -> dict[str, int]:
    levels = sql.dicts(connection, sql.CONFIDENCE, period(days, now=now))
    return {row["confidence"] or "unknown": int(row["count"]) for row in levels}


def patterns(connection: Connection, *, days: float | None, now: datetime) -> list[dict[str, Any]]:
    groups = sql.dicts(connection, sql.PATTERNS, period(days, now=now))
    return [{**row, "count": int(row["count"]), "avg_savings": encoding.usd(row["avg_savings"])} for row in groups]


def strong_share_by_key(connection: Connection, *, newest: int) -> list[dict[str, Any]]:
    return sql.dicts(connection, sql.STRONG_SHARE_BY_KEY, (newest,))


def requests(
    connection: Connection, *, limit: int, before: int | None, filters: Mapping[str, object]
) -> list[dict[str, Any]]:
    values = _checked(filters)
    parameters = {
        **_filter_values(values),
        "before": encoding.integer(before),
        "limit": max(1, min(limit, _MAX_ROWS)),
    }
    rows = sql.dicts(connection, sql.requests(values, before=before), parameters)
    return [encoding.decode_row(row) for row in rows]


def session_totals(connection: Connection, session: str) -> dict[str, Any]:
    row = sql.dicts(connection, sql.SESSION_TOTALS, {"session": encoding.text(session)})[0]
    return {
        "requests": row["requests"],
        "spent_usd": encoding.usd(float(row["cost_nano"])),
        "saved_usd": encoding.usd(float(row["savings_nano"])),
    }


def recent_values(connection: Connection, *, days: int, now: datetime) -> list[dict[str, Any]]:
    return sql.dicts(
        connection, sql.RECENT_VALUES, {"day": (now.astimezone(UTC) - timedelta(days=days)).strftime(_DAY)}
    )


def last_uses(connection: Connection, key_ids: Iterable[str]) -> dict[str, str]:
    found = {key_id: connection.execute(sql.LAST_USE, (encoding.text(key_id),)).get for key_id in key_ids}
    return {key_id: str(timestamp) for key_id, timestamp in found.items() if timestamp is not None}


def revision(connection: Connection, *, now: datetime) -> str:
    day = (now.astimezone(UTC) - timedelta(days=1)).strftime(_DAY)
    (row,) = sql.tuples(connection, sql.REVISION, {"day": day})
    return "-".join(str(int(value)) for value in row)


def first_byte_times(connection: Connection, *, newest: int, filters: Mapping[str, object]) -> list[float]:
    values = _checked(filters)
    rows = sql.dicts(connection, sql.first_byte_times(values), {**_filter_values(values), "limit": newest})
    return [float(row["first_byte"]) for row in rows]


def _checked(filters: Mapping[str, object]) -> dict[str, object]:
    """The filters that have a value, as the columns store it. Raises InvalidRequest for an unknown one."""
    if len(sql.tag_names(filters)) > _MAX_TAGS:
        raise InvalidRequest(f"There are more than {_MAX_TAGS} tags to filter by; no row has so many.", param="tag")
    for name in filters:
        if name not in (*sql.FILTERS, *sql.BOUNDS, "session") and not name.startswith(sql.TAG):
            raise InvalidRequest(
                f"{name} is not a column to filter by; the columns are: {', '.join(sql.FILTERS)}.", param=name
            )
    return {name: _column_value(value) for name, value in filters.items() if value is not None}


def request(connection: Connection, request_id: str) -> dict[str, Any] | None:
    stored_id = encoding.text(request_id)
    rows = sql.dicts(connection, sql.REQUEST, (stored_id,))
    if not rows:
        return None
    feedback = sql.dicts(connection, sql.FEEDBACK_OF, (stored_id,))
    attempts = sql.dicts(connection, sql.ATTEMPTS, {"request_id": stored_id})
    return {
        **encoding.decode_row(rows[0]),
        "attempts": [encoding.decode_row(attempt) for attempt in attempts],
        "feedback": feedback[0] if feedback else None,
    }


def shadow(connection: Connection, *, days: float, now: datetime) -> dict[str, Any]:
    groups = sql.dicts(connection, sql.SHADOW, period(days, now=now))
    sums = {name: sum(group[name] for group in groups) for name in ("requests", "same", "unpriced", *_SHADOW_MONEY)}
    return {
        "days": days,
        **_shadow_totals(sums),
        "by_model": [
            {"provider": group["shadow_provider"], "model": group["shadow_model"], **_shadow_totals(group)}
            for group in groups
        ],
    }


def holdback_cost(connection: Connection, *, since: str) -> Decimal:
    """USD that held-back requests cost more than the routed choices would have."""
    return Decimal(round(connection.execute(sql.HOLDBACK_COST, {"since": since}).get)) / encoding.NANO


def judge_cost(connection: Connection, *, since: str) -> Decimal:
    """USD that the judge's calls cost."""
    return Decimal(round(connection.execute(sql.JUDGE_COST, {"since": since}).get)) / encoding.NANO


def judge_agreement(connection: Connection) -> dict[str, Any]:
    (found,) = sql.dicts(connection, sql.JUDGE_AGREEMENT)
    return found


def outcomes(connection: Connection, *, after: int, limit: int) -> list[StoredOutcome]:
    return [encoding.decode_outcome(row) for row in sql.dicts(connection, sql.OUTCOMES, (after, limit))]


def newest_outcome(connection: Connection) -> int:
    return int(connection.execute(sql.NEWEST_OUTCOME).get)


def _grouped(groups: Sequence[Mapping[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Totals of the groups that share the values of `names`, most requests first."""
    shared: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for group in groups:
        shared.setdefault(tuple(group[name] for name in names), []).append(group)
    totals = [{**dict(zip(names, key, strict=True)), **_totals(members)} for key, members in sorted(shared.items())]
    return sorted(totals, key=lambda total: -int(total["total_requests"]))


def _totals(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums and means of the groups under their report names; money in USD, a mean of nothing is None."""
    sums = {name: sum(group[name] for group in groups) for name in _MEASURES}
    baseline = sums["baseline_nano"]
    return {
        "saved_share": sums["savings_nano"] / baseline if baseline else None,
        **{title: int(sums[name]) for title, name in _COUNTS.items()},
        **{title: sums[name] / encoding.NANO for title, name in _MONEY.items()},
        **{title: sums[total] / sums[count] if sums[count] else None for title, (total, count) in _MEANS.items()},
    }


def _shadow_totals(sums: Mapping[str, Any]) -> dict[str, Any]:
    """Money in USD; it covers only requests where both prices are known."""
    cost, shadow_cost = (sums[name] / encoding.NANO for name in _SHADOW_MONEY)
    return {
        "shadow_requests": int(sums["requests"]),
        "same_choice": int(sums["same"]),
        "unpriced_requests": int(sums["unpriced"]),
        "total_cost": cost,
        "total_shadow_cost": shadow_cost,
        "total_would_save": cost - shadow_cost,
        "would_save_pct": 100 * (cost - shadow_cost) / cost if cost else None,
    }


def _filter_values(filters: Mapping[str, object]) -> dict[str, object]:
    """The parameters of `sql.requests`."""
    values = {name: value for name, value in filters.items() if not name.startswith(sql.TAG)}
    for number, name in enumerate(sql.tag_names(filters)):
        values[f"tag_{number}"] = encoding.dumps({name.removeprefix(sql.TAG): filters[name]})[1:-1]
    return values


def _column_value(value: object) -> object:
    """A filter value as the column stores it."""
    return value if isinstance(value, bool | int | float) else encoding.text(value)
