"""The figures of a replay, from the sums over its decisions, and the reason where the data do not carry one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.savings.doubly_robust import GroupTotals, effective_size, ratio, student
from gateway.store.decision_columns import Floats

# Fewer decisions than this carry no figure; fewer effective outcomes than this correct no estimate.
ENOUGH_DECISIONS = 50
ENOUGH_OUTCOMES = 50
ENOUGH_GROUPS = 10
# At most this share of the decisions may be bounded instead of estimated.
MOST_BOUNDED = 0.05
LEAST_COST, MOST_COST = 0.5, 2.0  # bounds of a cost that nothing corrects, relative to its estimate

# The quantities that are summed up for each group of conversations.
LABELLED, RESIDUAL, KEPT_LABELLED, KEPT_RESIDUAL, WEIGHT, WEIGHTED_RESIDUAL = range(6)
PAID, EXPECTED, WEIGHTED_PAID, WEIGHTED_EXPECTED = range(6, 10)
QUANTITIES = 10


class ReplayFigure(NamedTuple):
    """`now` is what happened, `then` what the other policy would have had, with its 95 % interval; None: the data do not carry it."""

    now: float | None = None
    then: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The result; `gateway replay --json` has these members.

    `coverage` is the share of decisions in which the other policy's choice could have been recorded. `effective_sample_size`
    counts the ratings of changed decisions (Kish), or all ratings where nothing changed. `enough` is about the quality.
    """

    requests: int
    usable: int
    changed: int
    spent_usd: ReplayFigure
    quality: ReplayFigure
    saved_share: ReplayFigure
    effective_sample_size: float
    coverage: float | None
    enough: bool
    why_not: str | None

    def to_json(self) -> dict[str, Any]:
        figures = {name: getattr(self, name) for name in self.__slots__}
        return {key: each._asdict() if isinstance(each, ReplayFigure) else each for key, each in figures.items()}


@dataclass(slots=True)
class SpendingTotals:
    """USD: paid now; then for unchanged decisions; estimates for covered and for bounded ones; the baseline now and then."""

    now: float = 0.0
    unchanged: float = 0.0
    covered: float = 0.0
    bounded: float = 0.0
    baseline_now: float = 0.0
    baseline_then: float = 0.0


@dataclass(slots=True)
class ReplayTotals:
    """Sums over the decisions. `expected_*` are sums of estimated qualities; `*_squares` are sums of squared weights.

    Decisions are unchanged, or changed and `covered` (the other choice could have been recorded), or changed and bounded.
    """

    groups: GroupTotals = field(default_factory=lambda: GroupTotals(QUANTITIES))
    everything: SpendingTotals = field(default_factory=SpendingTotals)
    with_baseline: SpendingTotals = field(default_factory=SpendingTotals)
    requests: int = 0
    usable: int = 0
    changed: int = 0
    covered: int = 0
    expected_now: float = 0.0
    expected_unchanged: float = 0.0
    expected_covered: float = 0.0
    expected_bounded: float = 0.0
    label_squares: float = 0.0
    cost_weights: float = 0.0
    cost_squares: float = 0.0

    @property
    def uncovered(self) -> int:
        return self.changed - self.covered

    @property
    def labelled(self) -> int:
        return int(self.groups.totals[LABELLED])

    @property
    def effective_labels(self) -> float:
        if not self.changed:
            return float(self.labelled)
        return effective_size(float(self.groups.totals[WEIGHT]), self.label_squares)


def report(sums: ReplayTotals) -> ReplayReport:
    """Money is given from `ENOUGH_DECISIONS` on: its estimates come from prices and tokens, and what is not corrected is bounded."""
    missing = _missing(sums)
    spent, saved = _money(sums) if sums.usable >= ENOUGH_DECISIONS else (ReplayFigure(), ReplayFigure())
    return ReplayReport(
        requests=sums.requests,
        usable=sums.usable,
        changed=sums.changed,
        spent_usd=spent,
        quality=_quality(sums, carried=missing is None),
        saved_share=saved,
        effective_sample_size=round(sums.effective_labels, 1),
        coverage=1.0 - sums.uncovered / sums.usable if sums.usable else None,
        enough=missing is None,
        why_not=missing,
    )


def _missing(sums: ReplayTotals) -> str | None:
    """A sentence on why the data carry no quality; None when they do."""
    most, effective = int(MOST_BOUNDED * sums.usable), sums.effective_labels
    if sums.usable < ENOUGH_DECISIONS:
        return f"Of {sums.requests:,} requests {sums.usable:,} can be replayed; {ENOUGH_DECISIONS} are needed."
    if sums.labelled < ENOUGH_OUTCOMES:
        more = ENOUGH_OUTCOMES - sums.labelled
        return f"Of {sums.usable:,} decisions {sums.labelled:,} have a rating of their answer; about {more} more are needed."
    if (groups := sums.groups.groups_with(LABELLED)) < ENOUGH_GROUPS:
        return f"The ratings come from about {groups} conversations; an interval needs {ENOUGH_GROUPS}."
    if sums.uncovered > most:
        return (
            f"In {sums.uncovered:,} of {sums.usable:,} decisions the other choice could not have been recorded, because it "
            f"was never drawn there; at most {most:,} may be. A smaller change, or traffic with more exploration, closes this gap."
        )
    if sums.changed > most and effective < ENOUGH_OUTCOMES:
        more = math.ceil(ENOUGH_OUTCOMES - effective)
        return (
            f"Of {sums.changed:,} changed decisions about {effective:.0f} have a rating of the other choice; "
            f"about {more} more are needed."
        )
    return None


def _quality(sums: ReplayTotals, *, carried: bool) -> ReplayFigure:
    totals, usable = sums.groups.totals, sums.usable
    if sums.labelled < ENOUGH_OUTCOMES or usable < ENOUGH_DECISIONS:
        return ReplayFigure()
    now = sums.expected_now / usable + float(totals[RESIDUAL] / totals[LABELLED])
    if not carried:
        return ReplayFigure(now=_within_one(now))
    corrected = sums.effective_labels >= ENOUGH_OUTCOMES
    covered = sums.covered / usable if corrected else 0.0
    unchanged, bounded = 1.0 - sums.changed / usable, sums.changed / usable - covered

    def residuals(quantities: Floats) -> Floats:
        kept = ratio(quantities[..., KEPT_RESIDUAL], quantities[..., KEPT_LABELLED])
        moved = ratio(quantities[..., WEIGHTED_RESIDUAL], quantities[..., WEIGHT])
        return unchanged * kept + covered * moved

    estimated = sums.groups.jackknife(residuals)
    degrees = sums.groups.groups_with(LABELLED) - 1.0
    if covered:
        degrees = min(degrees, sums.groups.effective_groups(WEIGHT) - 1)
    margin = student(degrees) * estimated.error
    expected_bounded = (sums.expected_bounded + (0.0 if corrected else sums.expected_covered)) / usable
    expected = (sums.expected_unchanged + sums.expected_covered + sums.expected_bounded) / usable
    then = expected + estimated.value
    # Bounded decisions may have had any quality from 0 to 1 instead of the expected one.
    low, high = then - margin - expected_bounded, then + margin + bounded - expected_bounded
    return ReplayFigure(*map(_within_one, (now, then, low, high)))


def _money(sums: ReplayTotals) -> tuple[ReplayFigure, ReplayFigure]:
    """The spending, and the saved share of the decisions whose baseline is known."""
    totals = sums.groups.totals
    corrected = effective_size(sums.cost_weights, sums.cost_squares) >= ENOUGH_OUTCOMES
    factor, margin = 0.0, 0.0
    if corrected:
        estimated = sums.groups.jackknife(
            lambda quantities: ratio(quantities[..., WEIGHTED_PAID], quantities[..., WEIGHTED_EXPECTED])
        )
        factor = estimated.value
        if not math.isnan(estimated.error):
            margin = student(sums.groups.effective_groups(WEIGHTED_EXPECTED) - 1) * estimated.error
    # What nothing else corrects is corrected by what all models cost, relative to their estimates.
    usual = float(ratio(totals[PAID], totals[EXPECTED]))

    def interval(money: SpendingTotals) -> tuple[float, float, float]:
        covered, open_ = (money.covered, money.bounded) if corrected else (0.0, money.covered + money.bounded)
        bounded = usual * open_
        then = money.unchanged + factor * covered + bounded
        wide = margin * covered
        return then, max(0.0, then - wide - (1 - LEAST_COST) * bounded), then + wide + (MOST_COST - 1) * bounded

    known = sums.with_baseline
    saved = ReplayFigure()
    if known.baseline_now > 0 and known.baseline_then > 0:
        then, low, high = (1 - each / known.baseline_then for each in interval(known))
        saved = ReplayFigure(1 - known.now / known.baseline_now, then, high, low)
    now, then, low, high = (round(each, 9) for each in (sums.everything.now, *interval(sums.everything)))
    return ReplayFigure(now, then, low, high), saved


def _within_one(quality: float) -> float:
    return min(1.0, max(0.0, quality))
