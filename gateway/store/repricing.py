"""Figures of closed rows: read with what they were computed from, and replaced, the old ones kept in `cost_history`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.records import PricedAttempt, PricedRow, Repricing
from gateway.store import encoding, sql

_TOKENS = encoding.USAGE_COLUMNS[:-1]


def read(connection: sql.Connection, *, after: int, since: str, limit: int) -> Sequence[PricedRow]:
    """Closed rows by ascending id, with their attempts."""
    rows = sql.dicts(connection, sql.PRICED_ROWS, {"after": after, "since": since, "limit": limit})
    return [_row(row, sql.dicts(connection, sql.ATTEMPTS, {"request_id": row["request_id"]})) for row in rows]


def _row(row: dict[str, Any], attempts: Sequence[dict[str, Any]]) -> PricedRow:
    return PricedRow(
        **{
            **row,
            "usage": _object(row["usage"]),
            "baseline_usage": _object(row["baseline_usage"]),
            "timestamp": row["timestamp"] or "",
        },
        attempts=[
            PricedAttempt(
                **{name: attempt[name] for name in PricedAttempt._fields if name != "usage"},
                usage=_object(attempt["usage"]),
            )
            for attempt in attempts
        ],
    )


def _object(stored: str | None) -> dict[str, Any] | None:
    """A stored JSON object; None for anything else, written by another tool."""
    value = encoding.loads(stored)
    return value if isinstance(value, dict) else None


def apply(connection: sql.Connection, repricings: Sequence[Repricing], *, repriced: str) -> int:
    """The number of rows that were changed."""
    return sum(_apply(connection, repricing, repriced=repriced) for repricing in repricings)


def _apply(connection: sql.Connection, repricing: Repricing, *, repriced: str) -> bool:
    """Whether the row still had the figures that the new ones replace."""
    row = repricing.before
    expected = {
        "request_id": row.request_id,
        "was_actual_nano": row.actual_cost_nano,
        "was_baseline_nano": row.baseline_cost_nano,
    }
    history = {**expected, "repriced": repriced, "others": encoding.dumps(_others(repricing))}
    if not sql.changed(connection, sql.INSERT_COST_HISTORY, history):
        return False
    usage = repricing.usage
    values: dict[str, Any] = {
        **dict(
            zip(
                encoding.COST_COLUMNS,
                encoding.cost_values(repricing.baseline_cost, repricing.actual_cost),
                strict=True,
            )
        ),
        "baseline_cost_low": encoding.money(repricing.baseline_cost_low)[0],
        "baseline_cost_high": encoding.money(repricing.baseline_cost_high)[0],
        "evidence": repricing.evidence,
        "price_version": encoding.text(repricing.price_version),
        **{name: getattr(row, name) for name in _TOKENS},
        **({} if usage is None else dict(zip(_TOKENS, encoding.usage_values(usage), strict=False))),
    }
    values["shadow_cost"], values["shadow_cost_nano"] = encoding.money(repricing.shadow_cost)
    connection.execute(sql.REPRICE_REQUEST, {**values, "request_id": row.request_id})
    for number, (used, cost) in repricing.attempts.items():
        usd, nano = encoding.money(cost)
        new = {
            "id": f"{row.request_id}:{number}",
            "cost": usd,
            "cost_nano": nano,
            "prompt_tokens": encoding.count(used.prompt_tokens),
            "completion_tokens": encoding.count(used.completion_tokens),
        }
        connection.execute(sql.REPRICE_ATTEMPT, new)
    return True


def _others(repricing: Repricing) -> dict[str, Any]:
    """Old figures that have no column in `cost_history`."""
    row = repricing.before
    return {
        **{name: getattr(row, name) for name in (*_TOKENS, "shadow_cost_nano", "evidence")},
        "attempts": [
            {name: getattr(attempt, name) for name in ("number", "cost_nano", "prompt_tokens", "completion_tokens")}
            for attempt in row.attempts
            if attempt.number in repricing.attempts
        ],
    }
