"""One row of the ledger explained: the decision, its candidates, the calls and the arithmetic of both costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.catalog import PriceTable, nano_dollars
from gateway.completion import Usage
from gateway.savings.cost_lines import cost_lines, recorded_usage
from gateway.savings.counterfactual import usage_of_baseline

_DECISION = (
    "strategy_used", "confidence", "selected_provider", "selected_model", "reasoning", "propensity", "experimental",
    "pattern_detected", "complexity_score", "fallback_used", "fallback_reason", "session_id", "session_kept", "switch_penalty",
    "holdback", "shadow_provider", "shadow_model", "policy_version", "features",
)  # fmt: skip
_REQUEST = (
    "request_id", "timestamp", "status", "http_status", "error_code", "finish_reason", "endpoint", "streamed", "requested_model",
    "key_id", "tags", "first_byte", "duration", "feedback",
)  # fmt: skip
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_BASELINE = (
    "baseline_cost_low", "baseline_cost_high", "cost_savings", "savings_percentage", "cache_miss", "cache_missed_tokens", "cache_loss",
)  # fmt: skip


def explanation(row: Mapping[str, Any], prices: PriceTable) -> dict[str, Any]:
    """`row` is what `Store.request` returns. Costs are USD, calculated at the prices of the request's time in `prices`.

    `calculated_usd` and the lines are None where the price or the usage is unknown. They differ from `recorded_usd` where prices
    have changed since, or where a figure was estimated; `note` then says so.
    """
    attempts = [_attempt(attempt, row, prices) for attempt in row.get("attempts") or ()]
    return {
        **{name: row.get(name) for name in _REQUEST},
        "decision": {name: row.get(name) for name in _DECISION},
        "candidates": row.get("candidates") or [],
        "attempts": attempts,
        "usage": {
            **{name: row.get(name) for name in _TOKENS},
            "estimated": row.get("estimated"),
            "raw": row.get("usage"),
        },
        "cost": _total(attempts, row),
        "baseline": {**_baseline(row, attempts, prices), **{name: row.get(name) for name in _BASELINE}},
        "price_version": {"recorded": row.get("price_version"), "here": prices.version},
    }


def _attempt(attempt: Mapping[str, Any], row: Mapping[str, Any], prices: PriceTable) -> dict[str, Any]:
    shown = ("number", "provider", "model", "status", "error", "upstream_status", "first_byte", "duration")
    priced = _priced(
        _usage_of(attempt), attempt["provider"], attempt["model"], row, prices, recorded=attempt.get("cost")
    )
    return {**{name: attempt.get(name) for name in shown}, **priced}


def _total(attempts: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """All calls together, failed ones included."""
    known = [Decimal(repr(each["recorded_usd"])) for each in attempts if each["recorded_usd"] is not None]
    return _compared(sum(known, Decimal(0)) if known else None, row.get("actual_cost"), [])


def _baseline(row: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], prices: PriceTable) -> dict[str, Any]:
    """The lines of the answering call where that is the baseline itself, else the baseline's rates times its usage."""
    provider, model = row.get("baseline_provider") or "", row.get("baseline_model") or ""
    named = {"provider": provider, "model": model, "evidence": row.get("evidence")}
    stored = row.get("baseline_usage")
    answered = [each for each in attempts if each["lines"] and (each["provider"], each["model"]) == (provider, model)]
    if answered and not stored:
        last = answered[-1]
        calculated = sum((Decimal(repr(line["usd"])) for line in last["lines"]), Decimal(0))
        return {**named, **_compared(calculated, row.get("baseline_cost"), last["lines"])}
    if isinstance(stored, Mapping) and stored:
        usage: Usage | None = usage_of_baseline(stored)
    else:
        usage = _usage_of(row)
        usage = None if usage is None else usage.at_list_price  # what the other model's provider charged
    return {**named, **_priced(usage, provider, model, row, prices, recorded=row.get("baseline_cost"))}


def _usage_of(call: Mapping[str, Any]) -> Usage | None:
    return recorded_usage(
        call.get("usage"), prompt_tokens=call.get("prompt_tokens"), completion_tokens=call.get("completion_tokens")
    )


def _priced(
    usage: Usage | None,
    provider: str,
    model: str,
    row: Mapping[str, Any],
    prices: PriceTable,
    *,
    recorded: float | None,
) -> dict[str, Any]:
    at = _time_of(row)
    lines = None if usage is None or at is None else cost_lines(usage, prices.price(provider, model, at))
    if lines is None:
        return _compared(None, recorded, [])
    return _compared(sum((line.usd for line in lines), Decimal(0)), recorded, [line.to_json() for line in lines])


def _compared(calculated: Decimal | None, recorded: float | None, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    note = None
    if calculated is not None and recorded is not None:
        difference = nano_dollars(Decimal(repr(recorded))) - nano_dollars(calculated)
        if difference:
            than = "more" if difference > 0 else "less"
            usd = abs(difference) * Decimal("1e-9")
            note = f"the row has {usd:f} USD {than}: other prices, or a usage that was estimated"
    elif calculated is None:
        note = "no usage or no price is known"
    return {
        "lines": lines,
        "calculated_usd": None if calculated is None else float(calculated),
        "recorded_usd": recorded,
        "note": note,
    }


def _time_of(row: Mapping[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(row.get("timestamp") or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
