"""The report: what was spent, what the baseline would have cost, what was saved, how sure that is, and whether quality held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.savings.baseline_total import BaselineGroup, growth_needed, total_interval
from gateway.savings.cache_report import cache_report, cache_sums
from gateway.savings.hindsight import PriceTokens, always, best_single
from gateway.savings.quality import Label, quality_difference
from gateway.savings.report_group import ReportGroup

# Evidence of a row's baseline cost, the best first.
EVIDENCE = ("exact", "measured", "modelled", "unknown")
# What older gateways called the same.
_EARLIER = {"same_usage": "modelled", "estimated": "modelled", "": "unknown"}
NOT_ROUTED = frozenset({"pinned", "complexity"})
METHOD = (
    "Spent is what the providers reported, failed and repeated calls included. The baseline is what the named model would have "
    "cost for the same requests: its own prompt cache, kept warm by every turn of a conversation, and its own answer length, "
    "learned from the ledger, at the prices of the day. Saved is the baseline minus spent over the requests whose baseline is "
    "known; it may be negative, and what is unknown is left out, never counted as zero. The interval contains the true sum with "
    "95 % probability: the error of a learned length is common to all requests of one baseline and does not shrink with their "
    "number. Exact means that the baseline itself answered, measured that a random draw sent the conversation to it, modelled "
    "that its usage was estimated. The quality compares rated answers of conversations that the draw sent to the baseline with those "
    "that it could have sent there and did not. Lost to our own routing is what prompts cost above the price of reading them from "
    "a cache because the gateway had changed the conversation's model."
)


class Refusal(NamedTuple):
    """Requests that were refused before they were routed."""

    cause: str
    key_id: str
    requests: int


DIMENSIONS: Mapping[str, Callable[[ReportGroup], str]] = {
    "model": lambda group: f"{group.provider}/{group.model}",
    "pattern": lambda group: group.pattern or "none",
    "key": lambda group: group.key_id or "none",
    "provider": lambda group: group.provider,
    "day": lambda group: group.bucket[:10],
}


def build_report(
    groups: Sequence[ReportGroup],
    *,
    labels: Iterable[Label] = (),
    refusals: Sequence[Refusal] = (),
    models: Mapping[str, PriceTokens],
    since: str | None,
    until: str | None,
    by: Sequence[Mapping[str, Any]] = (),
    note: str | None = None,
) -> dict[str, Any]:
    """The report of contract section 7. `models` price the tokens of all requests at each catalogue model, by full name.

    `by` are the rows of a breakdown (`breakdown`), `note` is a sentence on the baseline.
    """
    report: dict[str, Any] = {
        "since": since,
        "until": until,
        "requests": sum(group.requests for group in groups),
        "routed": sum(group.requests for group in groups if group.strategy not in NOT_ROUTED),
        "refused": sum(refusal.requests for refusal in refusals),
        **money(groups),
        "baselines": _baselines(groups),
        "evidence": _evidence(groups),
        "unpriced": sum(group.unpriced for group in groups),
        "errors": sum(group.errors for group in groups),
        "quality": quality_difference(labels),
        "exploration_usd": sum(group.explored_usd for group in groups),
        "holdback_usd": sum(group.holdback_usd for group in groups),
        "caches": cache_report(groups),
        "always": always(groups, models),
        "refusals": _refusals(refusals),
        "by": list(by),
        "method": METHOD if note is None else f"{METHOD} {note}",
    }
    report["best_single"] = best_single(groups, report["always"])
    return report


def money(groups: Iterable[ReportGroup]) -> dict[str, Any]:
    """Spent, baseline and saved with their intervals in USD. Shares are null without a baseline.

    While the baseline may have cost nothing, for all that is known, the share has no interval: `saved_enough` is then false, and
    about `saved_requests_missing` more requests like these give one; null where more of them would not help.
    """
    groups = list(groups)
    by_baseline: dict[str, list[ReportGroup]] = {}
    for group in groups:
        by_baseline.setdefault(group.baseline, []).append(group)
    baselines = [
        BaselineGroup(
            sum(member.low_usd for member in members),
            sum(member.baseline_usd for member in members),
            sum(member.high_usd for member in members),
            sum(member.squares for member in members),
        )
        for members in by_baseline.values()
    ]
    low, middle, high = total_interval(baselines)
    compared = sum(group.compared_usd for group in groups)
    enough = low > 0
    return {
        "spent_usd": sum(group.spent_usd for group in groups),
        "compared_usd": compared,
        "baseline_usd": middle,
        "baseline_low_usd": low,
        "baseline_high_usd": high,
        "saved_usd": middle - compared,
        "saved_low_usd": low - compared,
        "saved_high_usd": high - compared,
        "saved_share": (middle - compared) / middle if middle > 0 else None,
        "saved_share_low": (low - compared) / low if enough else None,
        "saved_share_high": (high - compared) / high if enough else None,
        "saved_enough": enough,
        "saved_requests_missing": _requests_missing(groups, baselines),
    }


def _requests_missing(groups: Iterable[ReportGroup], baselines: Iterable[BaselineGroup]) -> int | None:
    requests, growth = sum(group.requests for group in groups), growth_needed(baselines)
    return None if growth is None else max(0, math.ceil(requests * (growth - 1.0)))


def breakdown(
    groups: Iterable[ReportGroup], dimension: str, *, names: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """One row for each value of a dimension of `DIMENSIONS`, the most expensive first. `names` are those of keys."""
    value_of = DIMENSIONS[dimension]
    rows = breakdown_by_value(((value_of(group), group) for group in groups), dimension)
    if dimension == "key":
        rows = [{dimension: row[dimension], "name": (names or {}).get(row[dimension]), **row} for row in rows]
    return sorted(rows, key=lambda row: row[dimension]) if dimension == "day" else rows


def breakdown_by_value(groups: Iterable[tuple[str, ReportGroup]], name: str) -> list[dict[str, Any]]:
    """One row for each value, the most expensive first; the value stands in the member `name`."""
    members: dict[str, list[ReportGroup]] = {}
    for value, group in groups:
        members.setdefault(value, []).append(group)
    rows = [
        {
            name: value,
            "requests": sum(member.requests for member in found),
            "errors": sum(member.errors for member in found),
            **money(found),
            **cache_sums(found),
        }
        for value, found in members.items()
    ]
    return sorted(rows, key=_most_expensive)


def _most_expensive(row: Mapping[str, Any]) -> tuple[float, int]:
    return -row["spent_usd"], -row["requests"]


def _baselines(groups: Iterable[ReportGroup]) -> dict[str, float]:
    """What each model costs as the baseline of its requests, by full name; the most expensive first."""
    totals: dict[str, float] = {}
    for group in groups:
        if group.baseline:
            totals[group.baseline] = totals.get(group.baseline, 0.0) + group.baseline_usd
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def _evidence(groups: Iterable[ReportGroup]) -> dict[str, int]:
    counts = dict.fromkeys(EVIDENCE, 0)
    for group in groups:
        evidence = _EARLIER.get(group.evidence, group.evidence)
        counts[evidence if evidence in counts else "unknown"] += group.requests
    return counts


def _refusals(refusals: Iterable[Refusal]) -> list[dict[str, Any]]:
    """Refused requests by cause, the most frequent first."""
    counts: dict[str, int] = {}
    for refusal in refusals:
        counts[refusal.cause] = counts.get(refusal.cause, 0) + refusal.requests
    return [{"cause": cause, "requests": count} for cause, count in sorted(counts.items(), key=lambda item: -item[1])]
