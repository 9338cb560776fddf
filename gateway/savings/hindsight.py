"""What one model alone would have cost for the same tokens, and what routing has cost above the best of them.

Approximate: the tokens are those of the answers that were given, and each model's ratings are those of the tasks that it got.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gateway.savings.report_group import ReportGroup

# Ratings that a single model needs, and how much worse than all answers together it may be.
RATED, AS_GOOD = 20, 0.02

# USD for the group's tokens at another model; None where its price is not known.
PriceTokens = Callable[[ReportGroup], float | None]


def always(groups: Iterable[ReportGroup], models: Mapping[str, PriceTokens]) -> list[dict[str, Any]]:
    """What always using one model would have cost, the cheapest first; without its own cache and lengths."""
    total = _together(groups)
    if not total.prompt_tokens and not total.completion_tokens:
        return []
    rows = [{"model": name, "usd": price(total)} for name, price in models.items()]
    return sorted(rows, key=lambda row: (row["usd"] is None, row["usd"] or 0.0))


def best_single(groups: Sequence[ReportGroup], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The cheapest single model that was rated as well as all answers together; None while too few answers are rated.

    Beside it `spent_usd` and `spent_quality`, of all answers as they were given, and `regret_usd`: how much more was spent than
    with this model. `rows` are those of `always`.
    """
    ratings: dict[str, tuple[float, int]] = {}
    for group in groups:
        for name in (f"{group.provider}/{group.model}", ""):  # the empty name is all models together
            total, count = ratings.get(name, (0.0, 0))
            ratings[name] = total + group.quality_sum, count + group.feedbacks
    overall, rated = ratings.get("", (0.0, 0))
    for row in rows:
        total, count = ratings.get(row["model"], (0.0, 0))
        if row["usd"] is not None and count >= RATED and total / count >= overall / rated - AS_GOOD:
            spent = sum(group.spent_usd for group in groups)
            return {
                **row,
                "quality": total / count,
                "spent_usd": spent,
                "spent_quality": overall / rated,
                "regret_usd": spent - row["usd"],
            }
    return None


def _together(groups: Iterable[ReportGroup]) -> ReportGroup:
    """The tokens of all groups."""
    groups = list(groups)
    return ReportGroup(
        prompt_tokens=sum(group.prompt_tokens for group in groups),
        completion_tokens=sum(group.completion_tokens for group in groups),
        cached_tokens=sum(min(group.cached_tokens, group.prompt_tokens) for group in groups),
    )
