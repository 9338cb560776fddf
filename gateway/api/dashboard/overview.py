"""The overview: what was spent and saved, against what, how sure that is, and whether anything is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gateway.api.dashboard.charts import CostChart, band, cost_chart, largest, quantile
from gateway.api.dashboard.filters import PageFilters
from gateway.savings import Label, Refusal, ReportGroup, breakdown, build_report
from gateway.store import Store

LATENCY_ROWS = 2000  # newest rows whose time to the first token is ranked
NEWEST = 10
HOURLY_DAYS = 3.0  # a longer period has one bar a day
MAX_BARS = 400


def overview(store: Store, filters: PageFilters, *, now: datetime) -> dict[str, Any]:
    """The values of the page. Blocks. Quality and refusals are those of all models and patterns."""
    bounds: dict[str, Any] = {"since": filters.since, "until": filters.until, "key_id": filters.given.get("key")}
    everything = [ReportGroup(**row) for row in store.report_groups(**bounds)]
    groups = [group for group in everything if _matches(group, filters)]
    report = build_report(
        groups,
        labels=map(Label._make, store.report_labels(**bounds)),
        refusals=[Refusal(**row) for row in store.refusals(**bounds)],
        models={},
        since=filters.since.isoformat(),
        until=None if filters.until is None else filters.until.isoformat(),
    )
    names = {key.id: key.name for key in store.virtual_keys()}
    first_bytes = sorted(store.first_byte_times(newest=LATENCY_ROWS, filters=filters.columns))
    newest = store.requests(limit=NEWEST, filters=filters.columns)
    return {
        "report": report,
        "band": band(report["saved_share_low"], report["saved_share"], report["saved_share_high"]),
        "estimated": report["evidence"]["exact"] + report["evidence"]["measured"] < report["requests"],
        "tokens": {
            name: sum(getattr(group, f"{name}_tokens") for group in groups)
            for name in ("prompt", "completion", "cached")
        },
        "first_token": {"p50": quantile(first_bytes, 0.5), "p95": quantile(first_bytes, 0.95)},
        "chart": _chart(store, filters, now=now),
        "models": largest(breakdown(groups, "model"), _requests),
        "patterns": largest(breakdown(groups, "pattern"), _requests),
        "keys": largest(breakdown(groups, "key", names=names), _requests),
        "choices": choices(everything, names=names),
        "newest": newest,
        "unanswered": unanswered(newest),
    }


def choices(groups: Sequence[ReportGroup], *, names: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: value and text of the models, patterns and keys that occur, in alphabetical order."""
    models = {f"{group.provider}/{group.model}" for group in groups}
    patterns = {group.pattern for group in groups if group.pattern}
    keys = {group.key_id for group in groups if group.key_id} | set(names)
    return {
        "model": [(name, name) for name in sorted(models)],
        "pattern": [(name, name) for name in sorted(patterns)],
        "key": sorted(((key, names.get(key, key)) for key in keys), key=lambda choice: choice[1]),
    }


def unanswered(requests: Sequence[Mapping[str, Any]]) -> int:
    """How many of the newest requests had no candidate that was up, until the newest one that was answered. `requests` is newest first."""
    count = 0
    for row in requests:
        if row["status"] == "ok":
            break
        count += row["error_code"] == "no_candidate"
    return count


def buckets(since: datetime, until: datetime, *, hourly: bool) -> list[str]:
    """The names of all hours or days of a period, as the ledger writes them; at most the newest MAX_BARS."""
    step, form = (timedelta(hours=1), "%Y-%m-%dT%H") if hourly else (timedelta(days=1), "%Y-%m-%d")
    count = min(MAX_BARS, int((until - since) / step) + 2)
    names = [(until - step * back).strftime(form) for back in reversed(range(count))]
    return [name for name in names if name >= since.strftime(form)]


def _matches(group: ReportGroup, filters: PageFilters) -> bool:
    model, pattern = filters.given.get("model"), filters.given.get("pattern")
    return (model is None or f"{group.provider}/{group.model}" == model) and pattern in (None, group.pattern)


def _chart(store: Store, filters: PageFilters, *, now: datetime) -> CostChart:
    """By hour while there are few days with requests; sums that are limited by key, model or pattern are by day only."""
    days_of = store.report_days(since=filters.since, until=filters.until, filters=_day_filters(filters))
    rows = [{**row, "bucket": row["day"]} for row in breakdown((ReportGroup(**row) for row in days_of), "day")]
    first = max(filters.since, _day(rows[0]["bucket"])) if rows else filters.since
    days = (now - first) / timedelta(days=1)
    limited = filters.until is not None or any(name in filters.given for name in ("key", "model", "pattern"))
    if 0 < days <= HOURLY_DAYS and not limited:
        rows = [
            {"bucket": row["bucket"], "spent_usd": row["total_cost"], "baseline_usd": row["total_baseline_cost"]}
            for row in store.timeline(days=days)
        ]
        return cost_chart(rows, buckets(first, now, hourly=True))
    return cost_chart(rows, buckets(first, min(filters.until or now, now), hourly=False))


def _day_filters(filters: PageFilters) -> dict[str, str]:
    """The page's filters as those of the ledger's sums by day."""
    given = {"key_id": filters.given.get("key"), "pattern": filters.given.get("pattern")}
    if "model" in filters.given:
        given["provider"], _, given["model"] = filters.given["model"].partition("/")
    return {name: value for name, value in given.items() if value is not None}


def _day(bucket: str) -> datetime:
    """The start of a day of the ledger; the earliest time for a row whose time could not be read."""
    try:
        return datetime.fromisoformat(f"{bucket}T00:00:00+00:00")
    except ValueError:
        return datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def _requests(row: Mapping[str, Any]) -> float:
    return float(row["requests"])
