"""Reads recorded decisions and their labels from a ledger, page by page. Each is a function of a connection."""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.store import sql

# The columns of a row, in the order in which `decision_columns.DecisionReader.read` takes them.
COLUMNS = (
    "id", "request_id", "session_id", "strategy_used", "requested_model", "complexity_score", "propensity", "candidates",
    "actual_cost_nano", "baseline_cost_nano", "baseline_provider", "baseline_model", "feedback_score", "session_kept",
    "switch_penalty", "holdback", "prompt_tokens", "completion_tokens",
)  # fmt: skip

# Labels that exist whether the answer was good or bad. The others are left out: those that only failures have would make every
# answer that is labelled look bad, and the prior of a tier says nothing about the answer.
_SOURCES = "('outcome', 'feedback', 'judge', 'passed_validation', 'failed_validation')"
MAX_LABELS = 1_000_000  # about 150 MB

_EXTENT = """
SELECT coalesce(min(id), 1), count(*) FROM routing_metrics WHERE timestamp >= :since AND timestamp < :until"""

# Rows for which several models were asked are left out: their cost and quality are not those of one model.
_PAGE = f"""
SELECT {", ".join(COLUMNS)} FROM routing_metrics
WHERE id > :after AND timestamp >= :since AND timestamp < :until AND status <> 'open' AND agreement IS NULL
ORDER BY id LIMIT :limit"""  # noqa: S608 - constants

# Ascending, so that the label of the answer that was kept replaces that of a rejected one.
_LABELS = f"""
SELECT request_id, quality FROM (
    SELECT id, request_id, quality FROM outcomes
    WHERE source IN {_SOURCES} AND quality BETWEEN 0 AND 1 AND request_id IS NOT NULL ORDER BY id DESC LIMIT :most
) AS newest ORDER BY id"""  # noqa: S608 - constants


FIRST, LAST = "", "~"  # sort before and after every time


class Period(NamedTuple):
    """UTC ISO 8601 times; `until` is not included. The default is everything."""

    since: str = FIRST
    until: str = LAST


def extent(connection: sql.Connection, period: Period) -> tuple[int, int]:
    """The id before the first row of the period, and the number of its rows."""
    (first, count), *_ = sql.tuples(connection, _EXTENT, period._asdict())
    return first - 1, count


def page(connection: sql.Connection, period: Period, *, after: int, limit: int) -> list[tuple[Any, ...]]:
    """The closed rows with an id above `after`, as values of `COLUMNS`."""
    return sql.tuples(connection, _PAGE, {**period._asdict(), "after": after, "limit": limit})


def labels(connection: sql.Connection, *, most: int = MAX_LABELS) -> dict[str, float]:
    """The quality (0 to 1) of answers by request id; of more than `most` the newest."""
    return dict(sql.tuples(connection, _LABELS, {"most": most}))
