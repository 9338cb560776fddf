"""The rollup: totals by hour and by day, so that the cost of a report does not grow with the number of rows.

Triggers keep it up to date, so it also follows changes by other tools. Adding up a batch first and upserting once per group is no
faster: the query and its statements cost about as much as the trigger does for ten rows.
"""

from __future__ import annotations

GROUPS = {
    "strategy": "strategy_used",
    "confidence": "confidence",
    "provider": "selected_provider",
    "model": "selected_model",
    "pattern": "pattern_detected",
}

# Each measure: its type, and what one closed row adds to it. Rows of other tools may lack the integer columns of money, so the
# REAL columns are the fallback.
_MEASURES = {
    "requests": ("INTEGER", "1"),
    "fallbacks": ("INTEGER", "CAST(coalesce(fallback_used, 0) <> 0 AS INTEGER)"),
    "experimental": ("INTEGER", "CAST(coalesce(experimental, 0) <> 0 AS INTEGER)"),
    "errors": ("INTEGER", "CAST(status IN ('error', 'interrupted') AS INTEGER)"),
    "cancelled": ("INTEGER", "CAST(status = 'cancelled' AS INTEGER)"),
    "estimated": ("INTEGER", "estimated"),
    "unpriced": ("INTEGER", "CAST(actual_cost IS NULL AS INTEGER)"),
    "cost_nano": ("INTEGER", "coalesce(actual_cost_nano, CAST(round(actual_cost * 1e9) AS BIGINT), 0)"),
    "baseline_nano": ("INTEGER", "coalesce(baseline_cost_nano, CAST(round(baseline_cost * 1e9) AS BIGINT), 0)"),
    "savings_nano": (
        "INTEGER",
        "coalesce(baseline_cost_nano - actual_cost_nano, CAST(round(cost_savings * 1e9) AS BIGINT), 0)",
    ),
    "priced": ("INTEGER", "CAST(cost_savings IS NOT NULL AS INTEGER)"),
    "percentage_sum": ("REAL", "coalesce(savings_percentage, 0.0)"),
    "percentages": ("INTEGER", "CAST(savings_percentage IS NOT NULL AS INTEGER)"),
    "prompt_tokens": ("INTEGER", "coalesce(prompt_tokens, 0)"),
    "completion_tokens": ("INTEGER", "coalesce(completion_tokens, 0)"),
    "cached_tokens": ("INTEGER", "coalesce(cached_tokens, 0)"),
    "quality_sum": ("REAL", "coalesce(feedback_score, 0.0)"),
    "feedbacks": ("INTEGER", "CAST(feedback_score IS NOT NULL AS INTEGER)"),
    "duration_sum": ("REAL", "coalesce(duration, 0.0)"),
    "durations": ("INTEGER", "CAST(duration IS NOT NULL AS INTEGER)"),
}
MEASURES = tuple(_MEASURES)
# Each closed row belongs to this many rows of the rollup: its hour and its day.
UNITS = 2

KEY = ("unit", "bucket", *GROUPS)
COLUMNS = ", ".join((*KEY, *MEASURES))

TABLE = f"""
CREATE TABLE IF NOT EXISTS rollup (
    {", ".join(f"{name} TEXT" for name in KEY)},
    {", ".join(f"{name} {kind}" for name, (kind, _) in _MEASURES.items())},
    PRIMARY KEY ({", ".join(KEY)})
) WITHOUT ROWID"""

# What each closed row adds to its hour and to its day. `unit` is the outer loop: in the other order SQLite builds a temporary
# table for each query.
# Also the columns of the view, after the row's id, request id and timestamp.
FACTS = f"""
    {", ".join(f"coalesce({column}, '') AS {name}" for name, column in GROUPS.items())},
    {", ".join(f"{expression} AS {name}" for name, (_, expression) in _MEASURES.items())}"""

VIEW = f"""
CREATE VIEW IF NOT EXISTS rollup_rows AS SELECT
    id, request_id, timestamp, unit,
    coalesce(strftime(iif(unit = 'day', '%Y-%m-%d', '%Y-%m-%dT%H'), timestamp), '0') AS bucket, {FACTS}
FROM (SELECT 'hour' AS unit UNION ALL SELECT 'day') CROSS JOIN routing_metrics WHERE status <> 'open'"""  # noqa: S608 - constants


def _trigger(name: str, event: str, *, row: str, sign: str) -> str:
    return f"""
CREATE TRIGGER IF NOT EXISTS {name} {event} ON routing_metrics WHEN {row}.status <> 'open' BEGIN
    INSERT INTO rollup ({COLUMNS}) SELECT {COLUMNS} FROM rollup_rows WHERE id = {row}.id
    ON CONFLICT DO UPDATE SET {", ".join(f"{measure} = {measure} {sign} excluded.{measure}" for measure in MEASURES)}; END"""  # noqa: S608 - constants


TRIGGERS = (
    _trigger("rollup_insert", "AFTER INSERT", row="NEW", sign="+"),
    _trigger("rollup_before_update", "BEFORE UPDATE", row="OLD", sign="-"),
    _trigger("rollup_update", "AFTER UPDATE", row="NEW", sign="+"),
    _trigger("rollup_delete", "BEFORE DELETE", row="OLD", sign="-"),
)
