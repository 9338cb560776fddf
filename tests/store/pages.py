"""Rows of the ledger as `gateway.store.decisions` reads them, and pages of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.store.candidate_columns import to_columns
from gateway.store.decision_columns import DecisionColumns, DecisionReader
from gateway.store.decisions import COLUMNS

SMALL, LARGE = ("gemini", "small"), ("claude", "large")


def candidate(key: tuple[str, str] = SMALL, **changes: Any) -> dict[str, Any]:
    """A candidate as rows have it, certain unless said otherwise."""
    usual = {
        "tier": "simple",
        "quality": 0.7,
        "spread": 0.1,
        "cost": 0.001,
        "outcomes": 0,
        "propensity": 0.0,
        "cooling": False,
    }
    return {"provider": key[0], "model": key[1], **usual, **changes}


def two(propensity: float = 0.98, **of_large: Any) -> list[dict[str, Any]]:
    """The small model, chosen with this probability, and the large one."""
    large = {"quality": 0.9, "cost": 0.01, "propensity": round(1.0 - propensity, 6), **of_large}
    return [candidate(propensity=propensity), candidate(LARGE, **large)]


def row(
    number: int = 1, *, candidates: Sequence[Mapping[str, Any]] | str | None = None, **changes: Any
) -> tuple[Any, ...]:
    """The values of one row, in the order of `COLUMNS`."""
    found = two() if candidates is None else candidates
    values: dict[str, Any] = {
        "id": number,
        "request_id": f"r{number}",
        "session_id": None,
        "strategy_used": "hybrid",
        "requested_model": "auto",
        "complexity_score": 0.2,
        "propensity": 0.98,
        "candidates": found if isinstance(found, str) else orjson.dumps(to_columns(found)).decode(),
        "actual_cost_nano": 1_000_000,
        "baseline_cost_nano": 4_000_000,
        "baseline_provider": LARGE[0],
        "baseline_model": LARGE[1],
        **changes,
    }
    return tuple(values.get(name) for name in COLUMNS)


def page(*rows: tuple[Any, ...], labels: Mapping[str, float] | None = None) -> DecisionColumns:
    return DecisionReader().read(rows, labels or {})
