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
    "key_id": "key_id",
    "baseline": "baseline_provider || '/' || baseline_model",
    "evidence": "evidence",
    # Rows of ledgers that did not price their misses count as none.
    "cache_miss": "CASE WHEN cache_missed_tokens IS NOT NULL THEN cache_miss END",
}

_COMPARED = "cost_savings IS NOT NULL"
_NANO_COST = "CAST(round(actual_cost * 1e9) AS BIGINT)"
# The gateway changed the conversation's model: neither the client's own change nor a failover.
_CHANGED_BY_ROUTING = """cache_miss = 'switched_model' AND strategy_used <> 'pinned'
    AND substr(coalesce(fallback_reason, ''), 1, 8) <> 'upstream'"""
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
    # The baseline's interval and the cost, of the rows that can be compared. The squares are those of rows whose baseline is modelled.
    "compared_nano": ("INTEGER", f"CASE WHEN {_COMPARED} THEN coalesce(actual_cost_nano, {_NANO_COST}, 0) ELSE 0 END"),
    "low_sum": ("REAL", f"CASE WHEN {_COMPARED} THEN coalesce(baseline_cost_low, baseline_cost) ELSE 0.0 END"),
    "high_sum": ("REAL", f"CASE WHEN {_COMPARED} THEN coalesce(baseline_cost_high, baseline_cost) ELSE 0.0 END"),
    "squares": (
        "REAL",
        f"CASE WHEN {_COMPARED} AND evidence = 'modelled' THEN baseline_cost * baseline_cost ELSE 0.0 END",
    ),
    "explored_nano": (
        "INTEGER",
        f"CASE WHEN propensity < 0.5 THEN coalesce(actual_cost_nano, {_NANO_COST}, 0) ELSE 0 END",
    ),
    "holdback_nano": (
        "INTEGER",
        "CASE WHEN holdback = 1 THEN coalesce(actual_cost_nano - shadow_cost_nano, 0) ELSE 0 END",
    ),
    "priced": ("INTEGER", "CAST(cost_savings IS NOT NULL AS INTEGER)"),
    "percentage_sum": ("REAL", "coalesce(savings_percentage, 0.0)"),
    "percentages": ("INTEGER", "CAST(savings_percentage IS NOT NULL AS INTEGER)"),
    "prompt_tokens": ("INTEGER", "coalesce(prompt_tokens, 0)"),
    "completion_tokens": ("INTEGER", "coalesce(completion_tokens, 0)"),
    "cached_tokens": ("INTEGER", "coalesce(cached_tokens, 0)"),
    "cache_write_tokens": ("INTEGER", "coalesce(cache_write_tokens, 0)"),
    "missed_tokens": ("INTEGER", "coalesce(cache_missed_tokens, 0)"),
    "missed_nano": ("INTEGER", "coalesce(cache_loss_nano, 0)"),
    "lost_nano": (
        "INTEGER",
        f"CASE WHEN {_CHANGED_BY_ROUTING} THEN coalesce(cache_loss_nano, 0) ELSE 0 END",
    ),
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


_EVENTS = (
    ("rollup_insert", "AFTER INSERT", "NEW", "+"),
    ("rollup_before_update", "BEFORE UPDATE", "OLD", "-"),
    ("rollup_update", "AFTER UPDATE", "NEW", "+"),
    ("rollup_delete", "BEFORE DELETE", "OLD", "-"),
)
TRIGGER_NAMES = tuple(name for name, *_ in _EVENTS)
TRIGGERS = tuple(_trigger(name, event, row=row, sign=sign) for name, event, row, sign in _EVENTS)
# Only for ledgers of versions without `gateway prune`: it loses the sums of deleted rows.
REBUILD = f"""
INSERT INTO rollup ({COLUMNS}) SELECT {", ".join(KEY)}, {", ".join(f"sum({measure})" for measure in MEASURES)}
FROM rollup_rows GROUP BY {", ".join(KEY)}"""  # noqa: S608 - constants
# Fill the rollup from `rollup_before`, its form without losses of prompt caches; sums of deleted rows stay. No row had a loss
# then. Only the tokens that were written to caches are added up from the rows.
NEW_WITH_LOSSES = ("cache_miss", "missed_tokens", "missed_nano", "lost_nano", "cache_write_tokens")
KNOWN_BEFORE = ", ".join(name for name in (*KEY, *MEASURES) if name not in NEW_WITH_LOSSES)
_KEYS = ", ".join(KEY)
TAKE_OVER = (
    f"INSERT INTO rollup ({KNOWN_BEFORE}, {', '.join(NEW_WITH_LOSSES)}) SELECT {KNOWN_BEFORE}, '', 0, 0, 0, 0 FROM rollup_before",  # noqa: S608 - constants
    f"""
INSERT INTO rollup ({_KEYS}, cache_write_tokens) SELECT {_KEYS}, sum(cache_write_tokens) FROM rollup_rows
WHERE cache_write_tokens > 0 GROUP BY {_KEYS} ON CONFLICT DO UPDATE SET cache_write_tokens = excluded.cache_write_tokens""",  # noqa: S608 - constants
)
