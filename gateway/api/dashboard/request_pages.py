"""The pages of requests: the list that the filters leave, and one request with everything that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from gateway.api.dashboard.filters import PageFilters
from gateway.api.dashboard.overview import choices
from gateway.catalog import PriceTable, plain_numbers
from gateway.errors import NotFound
from gateway.savings import ReportGroup, moment
from gateway.store import Store

PAGE_ROWS = 25
CHOICE_DAYS = 7  # whose models, patterns and keys the filters offer
STATUSES = ("ok", "error", "cancelled", "interrupted", "open")
# Members of a candidate; a pinned one has a provider and a model only, and rows of other tools may have anything.
_UNKNOWN = dict.fromkeys(
    ("provider", "model", "tier", "quality", "spread", "cost", "outcomes", "propensity", "cooling"), None
)
STRATEGIES = ("hybrid", "complexity", "learning", "pinned")


class WaterfallBar(NamedTuple):
    """One attempt on a scale of 0 to 100: calls follow each other, so each begins where the one before ended."""

    attempt: Mapping[str, Any]
    x: float
    width: float


def request_list(store: Store, filters: PageFilters) -> dict[str, Any]:
    """The values of the page. Blocks. `found` is the id of the request that was searched for."""
    searched = filters.value("q")
    if searched and store.request(searched) is not None:
        return {"found": searched}
    rows = store.requests(limit=PAGE_ROWS + 1, before=filters.before, filters=filters.columns)
    recent = [ReportGroup(**row) for row in store.recent_values(days=CHOICE_DAYS)]
    names = {key.id: key.name for key in store.virtual_keys()}
    return {
        "found": None,
        "rows": rows[:PAGE_ROWS],
        "names": names,
        "session": store.session_totals(filters.given["session"]) if "session" in filters.given else None,
        "choices": choices(recent, names=names),
        "statuses": [(name, name) for name in STATUSES],
        "strategies": [(name, name) for name in STRATEGIES],
        "next_before": rows[PAGE_ROWS - 1]["id"] if len(rows) > PAGE_ROWS else None,
    }


def request_detail(store: Store, request_id: str, *, prices: PriceTable, now: datetime) -> dict[str, Any]:
    """The values of the page of one request. Blocks. Raises NotFound."""
    row = store.request(request_id)
    if row is None:
        raise NotFound(f"There is no request {request_id[:60]!r} in the ledger.", param="request_id")
    names = {key.id: key.name for key in store.virtual_keys()}
    candidates = row.get("candidates") or []
    return {
        "row": row,
        "content": store.content(row["request_id"]),
        "key_name": names.get(row["key_id"] or ""),
        "candidates": [{**_UNKNOWN, **each} for each in candidates if isinstance(each, dict)],
        "waterfall": waterfall(row["attempts"]),
        "usage": None if row.get("usage") is None else _indented(row["usage"]),
        "cost_lines": _cost_lines(row, row["selected_provider"], row["selected_model"], prices=prices, now=now),
        "baseline_lines": _cost_lines(row, row["baseline_provider"], row["baseline_model"], prices=prices, now=now),
    }


def waterfall(attempts: Sequence[Mapping[str, Any]]) -> list[WaterfallBar]:
    """The attempts in their order, scaled to the sum of their durations."""
    total = sum(attempt["duration"] or 0.0 for attempt in attempts) or 1.0
    bars, begins = [], 0.0
    for attempt in attempts:
        width = 100 * (attempt["duration"] or 0.0) / total
        bars.append(WaterfallBar(attempt, round(begins, 2), round(max(width, 0.5), 2)))
        begins += width
    return bars


def _cost_lines(
    row: Mapping[str, Any], provider: str | None, model: str | None, *, prices: PriceTable, now: datetime
) -> list[dict[str, Any]]:
    """Tokens by kind with their rate (USD per million) at the row's time; empty where tokens or prices are unknown."""
    if row["prompt_tokens"] is None or not provider or not model or not row["timestamp"]:
        return []
    price = prices.price(provider, model, moment(row["timestamp"], now=now))
    if price is None:
        return []
    size, cached = row["prompt_tokens"], row["cached_tokens"] or 0
    written = row["cache_write_tokens"] or 0
    lines = (
        ("input", max(0, size - cached - written), price.input),
        ("input from the cache", cached, price.cache_read or price.input),
        ("input written to the cache", written, price.cache_write or price.input),
        ("output", row["completion_tokens"] or 0, price.output),
    )
    return [
        {"kind": kind, "tokens": tokens, "rate": float(rate.at(size)), "usd": tokens * float(rate.at(size)) / 1e6}
        for kind, tokens, rate in lines
        if tokens
    ]


def _indented(value: Any) -> str:
    return orjson.dumps(plain_numbers(value), option=orjson.OPT_INDENT_2).decode()
