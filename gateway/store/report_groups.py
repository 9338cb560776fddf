"""Sums for the report: by model, baseline, strategy, pattern, key and evidence, over any period.

The rollup answers for whole days and whole hours; the rows themselves only for the two hours in which the period begins and ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from gateway.store import encoding, rollup, sql
from gateway.store.mutations import RefusalCount
from gateway.store.sql import Connection

# Of each side of the holdback's draw, the newest: these give an interval of 0.03 either way.
MAX_LABELS = 5_000
# Values by which one report can be broken down: sessions, and objects of tags, of which several may have the same tag.
MAX_VALUES: Mapping[str, int] = MappingProxyType({"session_id": 1_000, "tags": 10_000})
_FIRST, _LAST = "", "~"  # before and after every day and hour
_GROUPS = ("provider", "model", "baseline", "strategy", "pattern", "key_id", "evidence", "cache_miss")
_SUMS = {
    "requests": "requests",
    "errors": "errors",
    "unpriced": "unpriced",
    "spent_usd": "cost_nano / 1e9",
    "compared_usd": "compared_nano / 1e9",
    "baseline_usd": "(compared_nano + savings_nano) / 1e9",
    "low_usd": "low_sum",
    "high_usd": "high_sum",
    "squares": "squares",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "cached_tokens": "cached_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "missed_tokens": "missed_tokens",
    "missed_usd": "missed_nano / 1e9",
    "lost_usd": "lost_nano / 1e9",
    "explored_usd": "explored_nano / 1e9",
    "holdback_usd": "holdback_nano / 1e9",
    "quality_sum": "quality_sum",
    "feedbacks": "feedbacks",
}
_COUNTS = frozenset({
    "requests", "errors", "unpriced", "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "missed_tokens",
    "feedbacks",
})  # fmt: skip
# What a breakdown shows.
_MONEY = (
    "requests", "errors", "spent_usd", "compared_usd", "baseline_usd", "low_usd", "high_usd", "squares", "cached_tokens",
    "cache_write_tokens", "missed_tokens", "lost_usd",
)  # fmt: skip
_TOTALS = ", ".join(f"total({expression}) AS {name}" for name, expression in _SUMS.items())
_TOTALS_OF_MONEY = ", ".join(f"total({_SUMS[name]}) AS {name}" for name in _MONEY)
_PERIOD = f"""
WITH period AS (
    SELECT {rollup.COLUMNS} FROM rollup_rows WHERE unit = 'hour' AND timestamp >= :since AND timestamp < :first_end
    UNION ALL
    SELECT {rollup.COLUMNS} FROM rollup WHERE unit = 'hour' AND bucket > :first_hour AND bucket < :first_hours_end
    UNION ALL
    SELECT {rollup.COLUMNS} FROM rollup WHERE unit = 'day' AND bucket > :first_day AND bucket < :last_day
    UNION ALL
    SELECT {rollup.COLUMNS} FROM rollup WHERE unit = 'hour' AND bucket >= :last_hours AND bucket < :last_hour
    UNION ALL
    SELECT {rollup.COLUMNS} FROM rollup_rows WHERE unit = 'hour' AND timestamp >= :last_start AND timestamp < :until
)"""  # noqa: S608 - constants
_KEY = " WHERE key_id = :key_id"
_BY = f"SELECT {', '.join(_GROUPS)}, {_TOTALS} FROM period"  # noqa: S608 - constants
_GROUPED = f" GROUP BY {', '.join(_GROUPS)} HAVING total(requests) > 0"
_BY_DAY = f"SELECT baseline, substr(bucket, 1, 10) AS bucket, {_TOTALS_OF_MONEY} FROM period"  # noqa: S608 - constants
_GROUPED_BY_DAY = " GROUP BY baseline, 2 HAVING total(requests) > 0"
DAY_FILTERS = ("key_id", "provider", "model", "pattern")
# The most expensive values first, so that the sums are only made of their rows.
_BY_VALUE = f"""
SELECT value, baseline, {_TOTALS_OF_MONEY} FROM rollup_rows JOIN (
    SELECT id AS row_id, {{column}} AS value FROM routing_metrics
    WHERE timestamp >= :since AND timestamp < :until{{key}} AND {{column}} IN (
        SELECT {{column}} FROM routing_metrics
        WHERE timestamp >= :since AND timestamp < :until{{key}} AND {{column}} IS NOT NULL AND status <> 'open'
        GROUP BY {{column}} ORDER BY total(actual_cost) DESC, count(*) DESC, {{column}} LIMIT :most
    )
) AS valued ON row_id = rollup_rows.id
WHERE unit = 'hour' GROUP BY value, baseline"""  # noqa: S608 - constants
_LABELS = f"""
SELECT feedback_score FROM routing_metrics
WHERE feedback_score IS NOT NULL AND holdback = :held AND timestamp >= :since AND timestamp < :until{{key}}
ORDER BY timestamp DESC LIMIT {MAX_LABELS}"""  # noqa: S608 - constants
_ADD_REFUSALS = """
INSERT INTO refusals (hour, cause, key_id, count) VALUES (?, ?, ?, ?)
ON CONFLICT (hour, cause, key_id) DO UPDATE SET count = refusals.count + excluded.count"""
_REFUSALS = """
SELECT cause, key_id, total(count) AS requests FROM refusals WHERE hour >= :first AND hour < :last{key} GROUP BY cause, key_id"""


def report_groups(
    connection: Connection, *, since: datetime | None, until: datetime | None, key_id: str | None
) -> list[dict[str, Any]]:
    """The rows of `gateway.savings.report_group.ReportGroup`, as mappings."""
    query = _PERIOD + _BY + (_KEY if key_id is not None else "") + _GROUPED
    return [_counted(row) for row in sql.dicts(connection, query, _bounds(since, until) | _key(key_id))]


def report_days(
    connection: Connection, *, since: datetime | None, until: datetime | None, filters: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The same by baseline and day (`bucket`), with the sums that a breakdown shows. `filters` are values of `DAY_FILTERS`."""
    conditions = [f"{name} = :{name}" for name in DAY_FILTERS if name in filters]
    query = _PERIOD + _BY_DAY + (f" WHERE {' AND '.join(conditions)}" if conditions else "") + _GROUPED_BY_DAY
    return [_counted(row) for row in sql.dicts(connection, query, _bounds(since, until) | dict(filters))]


def report_groups_by(
    connection: Connection,
    column: str,
    *,
    since: datetime | None,
    until: datetime | None,
    key_id: str | None,
    most: int | None = None,
) -> list[dict[str, Any]]:
    """The same by baseline and the value of a column of the rows (`session_id`, `tags`), which stands in `value`.

    Of more values than `most` (`MAX_VALUES`) those on which most was spent. Reads the rows of the period.
    """
    query = _BY_VALUE.format(column=column, key=" AND key_id = :key_id" if key_id is not None else "")
    values = {"since": _text(since, _FIRST), "until": _text(until, _LAST), "most": most or MAX_VALUES[column]} | _key(
        key_id
    )
    return [_counted(row) for row in sql.dicts(connection, query, values)]


def report_labels(
    connection: Connection, *, since: datetime | None, until: datetime | None, key_id: str | None
) -> list[tuple[float, bool]]:
    """Ratings of both sides of the holdback's draw, each in the order of time: 0 to 1, and whether the draw held the answer back.

    Answers that no draw concerned are left out, because their model may have been chosen by the task.
    """
    query = _LABELS.format(key=" AND key_id = :key_id" if key_id is not None else "")
    values = {"since": _text(since, _FIRST), "until": _text(until, _LAST)} | _key(key_id)
    sides = {held: sql.tuples(connection, query, {**values, "held": int(held)}) for held in (False, True)}
    return [(score, held) for held, rows in sides.items() for (score,) in reversed(rows)]


def refusals(
    connection: Connection, *, since: datetime | None, until: datetime | None, key_id: str | None
) -> list[dict[str, Any]]:
    """Refused requests by cause and key, in whole hours."""
    first = _FIRST if since is None else _hour(since)
    last = _LAST if until is None else _hour(until + timedelta(hours=1))
    query = _REFUSALS.format(key=" AND key_id = :key_id" if key_id is not None else "")
    rows = sql.dicts(connection, query, {"first": first, "last": last} | _key(key_id))
    return [{**row, "requests": int(row["requests"])} for row in rows]


def add_refusals(connection: Connection, counts: Sequence[RefusalCount]) -> None:
    """Within the writer's transaction."""
    for count in counts:
        connection.execute(_ADD_REFUSALS, count)


def _bounds(since: datetime | None, until: datetime | None) -> dict[str, str]:
    """Whole hours lie between the hour of `since` and that of `until`, whole days between their days."""
    first_hour = _FIRST if since is None else _hour(since)
    last_hour = _LAST if until is None else _hour(until)
    first_day, last_day = first_hour[:10], last_hour[:10]
    same_hour, same_day = first_hour == last_hour, first_day == last_day
    next_day = _FIRST if since is None else _day(since + timedelta(days=1))
    next_hour = _FIRST if since is None else _hour(since + timedelta(hours=1))
    return {
        "since": _text(since, _FIRST),
        "until": _text(until, _LAST),
        "first_end": _text(until, _LAST) if same_hour else next_hour,
        "first_hour": first_hour,
        "first_hours_end": last_hour if same_day else next_day,
        "first_day": first_day,
        "last_day": last_day,
        "last_hours": _LAST if same_day else last_day,
        "last_hour": last_hour,
        "last_start": _LAST if same_hour or until is None else last_hour,
    }


def _counted(row: dict[str, Any]) -> dict[str, Any]:
    return {name: int(value) if name in _COUNTS else value for name, value in row.items()}


def _key(key_id: str | None) -> dict[str, str]:
    return {} if key_id is None else {"key_id": key_id}


def _text(moment: datetime | None, default: str) -> str:
    return default if moment is None else encoding.utc(moment)[:19]


def _hour(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")
