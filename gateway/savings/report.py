"""The report: what was spent, what the baseline would have cost, what was saved, how sure that is, and whether quality held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.savings.baseline_total import BaselineGroup, total_interval
from gateway.savings.quality import Label, quality_difference

# Evidence of a row's baseline cost, the best first.
EVIDENCE = ("exact", "measured", "modelled", "unknown")
_RATED, _AS_GOOD = 20, 0.02  # ratings that a single model needs, and how much worse than the rest it may be
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
    "that its usage was estimated."
)


class ReportGroup(NamedTuple):
    """Sums of closed rows that agree in model, baseline, strategy, pattern, key and evidence; money in USD.

    `compared_usd` is the cost of the rows whose baseline is known, `baseline_usd` what the baseline would have cost for them, with
    the ends of its interval and the squared costs of the modelled rows. `explored_usd` is spent on draws of unlikely models.
    `quality_sum` adds up the ratings of `feedbacks` rows, 0 to 1 each.
    """

    provider: str = ""
    model: str = ""
    baseline: str = ""
    strategy: str = ""
    pattern: str = ""
    key_id: str = ""
    evidence: str = ""
    bucket: str = ""
    requests: int = 0
    errors: int = 0
    unpriced: int = 0
    spent_usd: float = 0.0
    compared_usd: float = 0.0
    baseline_usd: float = 0.0
    low_usd: float = 0.0
    high_usd: float = 0.0
    squares: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    explored_usd: float = 0.0
    holdback_usd: float = 0.0
    quality_sum: float = 0.0
    feedbacks: int = 0


class Refusal(NamedTuple):
    """Requests that were refused before they were routed."""

    cause: str
    key_id: str
    requests: int


# USD for the group's tokens at another model; None where its price is not known.
PriceTokens = Callable[[ReportGroup], float | None]

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
        "always": _always(groups, models),
        "refusals": _refusals(refusals),
        "by": list(by),
        "method": METHOD if note is None else f"{METHOD} {note}",
    }
    report["best_single"] = _best_single(groups, report["always"])
    return report


def money(groups: Iterable[ReportGroup]) -> dict[str, Any]:
    """Spent, baseline and saved with their intervals in USD. Shares are null without a baseline."""
    groups = list(groups)
    by_baseline: dict[str, list[ReportGroup]] = {}
    for group in groups:
        by_baseline.setdefault(group.baseline, []).append(group)
    low, middle, high = total_interval(
        BaselineGroup(
            sum(member.low_usd for member in members),
            sum(member.baseline_usd for member in members),
            sum(member.high_usd for member in members),
            sum(member.squares for member in members),
        )
        for members in by_baseline.values()
    )
    compared = sum(group.compared_usd for group in groups)
    known = middle > 0
    return {
        "spent_usd": sum(group.spent_usd for group in groups),
        "compared_usd": compared,
        "baseline_usd": middle,
        "baseline_low_usd": low,
        "baseline_high_usd": high,
        "saved_usd": middle - compared,
        "saved_low_usd": low - compared,
        "saved_high_usd": high - compared,
        "saved_share": (middle - compared) / middle if known else None,
        "saved_share_low": (low - compared) / low if known and low > 0 else None,
        "saved_share_high": (high - compared) / high if known else None,
    }


def breakdown(
    groups: Iterable[ReportGroup], dimension: str, *, names: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """One row for each value of a dimension of `DIMENSIONS`, the most expensive first. `names` are those of keys."""
    value_of = DIMENSIONS[dimension]
    members: dict[str, list[ReportGroup]] = {}
    for group in groups:
        members.setdefault(value_of(group), []).append(group)
    rows = [
        {
            dimension: value,
            **({"name": (names or {}).get(value)} if dimension == "key" else {}),
            "requests": sum(member.requests for member in found),
            "errors": sum(member.errors for member in found),
            **money(found),
        }
        for value, found in members.items()
    ]
    return sorted(rows, key=lambda row: row[dimension]) if dimension == "day" else sorted(rows, key=_most_expensive)


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


def _always(groups: Sequence[ReportGroup], models: Mapping[str, PriceTokens]) -> list[dict[str, Any]]:
    """What always using one model would have cost for the same tokens, the cheapest first: approximate, without its own cache and lengths."""
    rows = []
    for name, price in models.items():
        costs = [price(group) for group in groups if group.prompt_tokens or group.completion_tokens]
        known = [cost for cost in costs if cost is not None]
        rows.append({"model": name, "usd": sum(known) if len(known) == len(costs) and costs else None})
    return sorted(rows, key=lambda row: (row["usd"] is None, row["usd"] or 0.0))


def _best_single(groups: Iterable[ReportGroup], always: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The cheapest single model that was rated as well as all answers together; None while too few answers are rated."""
    ratings: dict[str, tuple[float, int]] = {}
    for group in groups:
        for name in (f"{group.provider}/{group.model}", ""):  # the empty name is all models together
            total, count = ratings.get(name, (0.0, 0))
            ratings[name] = total + group.quality_sum, count + group.feedbacks
    overall, rated = ratings.get("", (0.0, 0))
    for row in always:
        total, count = ratings.get(row["model"], (0.0, 0))
        if row["usd"] is not None and count >= _RATED and total / count >= overall / rated - _AS_GOOD:
            return {**row, "quality": total / count}
    return None


def _refusals(refusals: Iterable[Refusal]) -> list[dict[str, Any]]:
    """Refused requests by cause, the most frequent first."""
    counts: dict[str, int] = {}
    for refusal in refusals:
        counts[refusal.cause] = counts.get(refusal.cause, 0) + refusal.requests
    return [{"cause": cause, "requests": count} for cause, count in sorted(counts.items(), key=lambda item: -item[1])]
