"""The page of routing: quality against cost, who answered what, and how confident the router was over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gateway.api.dashboard.charts import scatter
from gateway.api.dashboard.filters import PageFilters
from gateway.api.dashboard.overview import choices
from gateway.savings import NOT_ROUTED, ReportGroup
from gateway.store import Store

ESTIMATE_ROWS = 100  # newest routed rows whose candidates' estimates are averaged
TOP_MODELS, TOP_PATTERNS = 12, 8
TIMELINE_ROWS = 31


def routing(store: Store, filters: PageFilters, *, now: datetime) -> dict[str, Any]:
    """The values of the page. Blocks."""
    bounds: dict[str, Any] = {"since": filters.since, "until": filters.until, "key_id": filters.given.get("key")}
    groups = [ReportGroup(**row) for row in store.report_groups(**bounds)]
    routed = [group for group in groups if group.strategy not in NOT_ROUTED]
    newest = store.requests(limit=ESTIMATE_ROWS, filters=filters.columns)
    estimated = estimates([store.request(row["request_id"]) or {} for row in newest if row["auto_route"]])
    counts: dict[str, int] = {}
    for group in routed:
        name = f"{group.provider}/{group.model}"
        counts[name] = counts.get(name, 0) + group.requests
    models = [
        {"model": name, "quality": quality, "cost": cost, "requests": counts.get(name, 0), "rows": rows}
        for name, (quality, cost, rows) in estimated.items()
    ]
    days = min(3650.0, max(0.01, (now - filters.since) / timedelta(days=1)))
    return {
        "scatter": scatter(models),
        "models": sorted(models, key=lambda model: -int(model["requests"])),
        "by_pattern": shares_by_pattern(routed),
        "timeline": store.confidence_timeline(days=days)[-TIMELINE_ROWS:],
        "choices": choices(groups, names={key.id: key.name for key in store.virtual_keys()}),
    }


def estimates(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float, int]]:
    """The mean estimated quality and cost (USD) of each model among the candidates of these rows, and in how many it was one."""
    sums: dict[str, tuple[float, float, int]] = {}
    for row in rows:
        for candidate in row.get("candidates") or ():
            if not isinstance(candidate, dict):
                continue  # rows of other tools may have anything
            quality, cost = candidate.get("quality"), candidate.get("cost")
            if quality is None or cost is None:
                continue
            name = f"{candidate['provider']}/{candidate['model']}"
            total_quality, total_cost, count = sums.get(name, (0.0, 0.0, 0))
            sums[name] = (total_quality + quality, total_cost + cost, count + 1)
    return {name: (quality / count, cost / count, count) for name, (quality, cost, count) in sums.items()}


def shares_by_pattern(groups: Sequence[ReportGroup]) -> dict[str, Any]:
    """How many requests of each pattern each model answered; the models and patterns with the most requests."""
    cells: dict[tuple[str, str], int] = {}
    models: dict[str, int] = {}
    patterns: dict[str, int] = {}
    for group in groups:
        model, pattern = f"{group.provider}/{group.model}", group.pattern or "none"
        cells[model, pattern] = cells.get((model, pattern), 0) + group.requests
        models[model] = models.get(model, 0) + group.requests
        patterns[pattern] = patterns.get(pattern, 0) + group.requests
    shown_models = sorted(models, key=lambda name: -models[name])[:TOP_MODELS]
    shown_patterns = sorted(patterns, key=lambda name: -patterns[name])[:TOP_PATTERNS]
    return {
        "patterns": shown_patterns,
        "rows": [
            {
                "model": model,
                "cells": [
                    {
                        "count": cells.get((model, pattern), 0),
                        "part": cells.get((model, pattern), 0) / patterns[pattern],
                    }
                    for pattern in shown_patterns
                ],
            }
            for model in shown_models
        ],
    }
