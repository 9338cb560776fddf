"""What another policy would have cost, and how good its answers would have been, from recorded decisions; nobody is called.

Both the present and the other policy decide again on the recorded candidates. Only where they differ does a decision change:
what the row does not hold, such as the bonus for uncertainty, then matters to neither. Unchanged decisions keep their real cost and
quality. Changed ones get the candidate's estimate with the correction of `doubly_robust`.

Where the other choice could not have been recorded (its probability was zero), nothing corrects the estimate. These decisions are
bounded: their quality may be 0 or 1, their cost half or twice the estimate. If they are too many, no quality is given at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gateway.catalog import ModelKey
from gateway.savings.conversations import ConversationMemory
from gateway.savings.doubly_robust import (
    Estimated,
    GroupSums,
    correction,
    effective_size,
    ratio,
    student,
)
from gateway.store.decision_columns import DecisionColumns, Floats, Integers, RecordedPolicy

# Fewer usable decisions than this carry no figure; fewer effective outcomes than this correct no estimate.
ENOUGH_DECISIONS = 50
ENOUGH_OUTCOMES = 50
ENOUGH_GROUPS = 10
# At most this share of the decisions may be bounded instead of estimated.
MOST_BOUNDED = 0.05
_COST_BOUNDS = (0.5, 2.0)


class ReplayFigure(NamedTuple):
    """`now` is what happened, `then` what the other policy would have had, with its 95 % interval; None: the data do not carry it."""

    now: float | None = None
    then: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The result; `gateway replay --json` has these members. `coverage` is the share of decisions that could have been recorded."""

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


@dataclass(frozen=True, slots=True)
class PriceChange:
    """The input and output prices (USD per million tokens) of the models whose prices differ, before and after."""

    prices: Mapping[ModelKey, tuple[tuple[float, float], tuple[float, float]]]

    def factors(self, page: DecisionColumns) -> Floats:
        """What each cost of the page is multiplied with: by decision and model, at the decision's own tokens."""
        factors = np.ones(page.cost.shape)
        for column, key in enumerate(page.models):
            if key in self.prices:
                (old_input, old_output), (new_input, new_output) = self.prices[key]
                old = page.prompt_tokens * old_input + page.completion_tokens * old_output
                new = page.prompt_tokens * new_input + page.completion_tokens * new_output
                factors[:, column] = np.divide(new, old, out=np.ones(len(page)), where=old > 0)
        return factors


# The quantities that are summed up for each group of conversations.
_LABELLED, _RESIDUAL, _KEPT_LABELLED, _KEPT_RESIDUAL, _WEIGHT, _WEIGHTED_RESIDUAL = range(6)
_PAID, _EXPECTED, _WEIGHTED_PAID, _WEIGHTED_EXPECTED = range(6, 10)


@dataclass(slots=True)
class _Money:
    """Sums in USD: paid now; then, for unchanged decisions; estimates for covered and for bounded ones; the baseline."""

    now: float = 0.0
    unchanged: float = 0.0
    covered: float = 0.0
    bounded: float = 0.0
    baseline_now: float = 0.0
    baseline_then: float = 0.0


class Replay:
    """Takes pages of decisions in the order of the ledger. Memory does not grow with the number of decisions."""

    def __init__(self, *, now: RecordedPolicy, then: RecordedPolicy, price_change: PriceChange | None = None) -> None:
        self._now, self._then, self._price_change = now, then, price_change
        self._conversations = ConversationMemory()
        self._sums = GroupSums(10)
        self._all, self._with_baseline = _Money(), _Money()
        self._requests = self._usable = self._changed = self._covered = 0
        self._expected_now = self._expected_unchanged = self._expected_covered = self._expected_bounded = 0.0
        self._label_squares = self._cost_squares = self._cost_weights = 0.0

    def add(self, page: DecisionColumns, *, requests: int) -> None:
        """`requests` counts the rows that the page was made of, usable or not."""
        self._requests += requests
        if not len(page):
            return
        factors = None if self._price_change is None else self._price_change.factors(page)
        priced = page if factors is None else _repriced(page, factors)
        now, then = self._now.favourites(page), self._then.favourites(priced)
        target = np.where((now == then) | (then < 0), page.favourite, then)
        page, priced, target = self._conversations.continued(page, priced, target)
        self._sum_up(page, priced, target)

    def _sum_up(self, page: DecisionColumns, priced: DecisionColumns, target: Integers) -> None:
        rows, chosen = page.rows, page.chosen
        changed, covered, weight = correction(page, target)
        bounded = changed & ~covered
        quality_now, quality_then = page.quality[rows, chosen], page.quality[rows, target]
        cost_now, cost_then = priced.cost[rows, chosen], priced.cost[rows, target]
        labelled = ~np.isnan(page.label)
        residual = np.where(labelled, page.label - quality_now, 0.0)
        label_weight = weight * labelled
        paid = priced.actual_cost
        self._sums.add(
            page.group,
            labelled, residual, labelled & ~changed, residual * ~changed, label_weight, label_weight * residual,
            paid, cost_now, weight * paid, weight * cost_now,
        )  # fmt: skip
        self._usable += len(page)
        self._changed += int(changed.sum())
        self._covered += int(covered.sum())
        self._expected_now += float(quality_now.sum())
        self._expected_unchanged += float(quality_now[~changed].sum())
        self._expected_covered += float(quality_then[covered].sum())
        self._expected_bounded += float(quality_then[bounded].sum())
        self._label_squares += float((label_weight**2).sum())
        self._cost_squares += float((weight**2).sum())
        self._cost_weights += float(weight.sum())
        for money, among in (
            (self._all, np.ones(len(page), dtype=np.bool_)),
            (self._with_baseline, ~np.isnan(page.baseline_cost)),
        ):
            money.now += float(page.actual_cost[among].sum())
            money.unchanged += float(paid[among & ~changed].sum())
            money.covered += float(cost_then[among & covered].sum())
            money.bounded += float(cost_then[among & bounded].sum())
            money.baseline_now += float(np.nansum(page.baseline_cost[among]))
            money.baseline_then += float(np.nansum(priced.baseline_cost[among]))

    def report(self) -> ReplayReport:
        """The figures so far."""
        totals = self._sums.totals
        effective = (
            effective_size(float(totals[_WEIGHT]), self._label_squares) if self._changed else float(totals[_LABELLED])
        )
        missing = self._missing_for_quality(effective)
        usable = self._usable >= ENOUGH_DECISIONS
        spent, saved = self._spent() if usable else (ReplayFigure(), ReplayFigure())
        return ReplayReport(
            requests=self._requests,
            usable=self._usable,
            changed=self._changed,
            spent_usd=spent,
            quality=self._quality(effective, carried=missing is None),
            saved_share=saved,
            effective_sample_size=round(effective, 1),
            coverage=1.0 - self._uncovered / self._usable if self._usable else None,
            enough=missing is None,
            why_not=missing,
        )

    @property
    def _uncovered(self) -> int:
        return self._changed - self._covered

    def _missing_for_quality(self, effective: float) -> str | None:
        """A sentence on why the data carry no quality; None when they do."""
        labels, most = int(self._sums.totals[_LABELLED]), int(MOST_BOUNDED * self._usable)
        groups = self._sums.groups_with(_LABELLED)
        if self._usable < ENOUGH_DECISIONS:
            return f"Of {self._requests:,} requests {self._usable:,} can be replayed; {ENOUGH_DECISIONS} are needed."
        if labels < ENOUGH_OUTCOMES:
            more = ENOUGH_OUTCOMES - labels
            return (
                f"Of {self._usable:,} decisions {labels:,} have a rating of their answer; about {more} more are needed."
            )
        if groups < ENOUGH_GROUPS:
            return f"The ratings come from about {groups} conversations; {ENOUGH_GROUPS} are needed for an interval."
        if self._uncovered > most:
            return (
                f"In {self._uncovered:,} of {self._usable:,} decisions the other choice could not have been recorded, because it "
                f"was never drawn there; at most {most:,} may be. Exploration or a smaller change closes this gap."
            )
        if self._changed > most and effective < ENOUGH_OUTCOMES:
            more = math.ceil(ENOUGH_OUTCOMES - effective)
            return (
                f"Of {self._changed:,} changed decisions about {effective:.0f} have a rating of the other choice; "
                f"about {more} more are needed."
            )
        return None

    def _quality(self, effective: float, *, carried: bool) -> ReplayFigure:
        totals = self._sums.totals
        if totals[_LABELLED] < ENOUGH_OUTCOMES or self._usable < ENOUGH_DECISIONS:
            return ReplayFigure()
        now = self._expected_now / self._usable + float(totals[_RESIDUAL] / totals[_LABELLED])
        if not carried:
            return ReplayFigure(now=_within_one(now))
        unchanged = (self._usable - self._changed) / self._usable
        corrects = effective >= ENOUGH_OUTCOMES or not self._changed
        covered = self._covered / self._usable if corrects else 0.0
        bounded = self._changed / self._usable - covered

        def residuals(sums: Floats) -> Floats:
            kept = ratio(sums[..., _KEPT_RESIDUAL], sums[..., _KEPT_LABELLED])
            moved = ratio(sums[..., _WEIGHTED_RESIDUAL], sums[..., _WEIGHT])
            return unchanged * kept + covered * moved

        estimated = self._sums.jackknife(residuals)
        expected_bounded = (self._expected_bounded + (0.0 if corrects else self._expected_covered)) / self._usable
        expected = (self._expected_unchanged + self._expected_covered + self._expected_bounded) / self._usable
        then = expected + estimated.value
        low = then - self._margin(estimated, effective, covered=covered) - expected_bounded
        high = then + self._margin(estimated, effective, covered=covered) + bounded - expected_bounded
        return ReplayFigure(*map(_within_one, (now, then, low, high)))

    def _margin(self, estimated: Estimated, effective: float, *, covered: float) -> float:
        degrees = self._sums.groups_with(_LABELLED) - 1
        return student(min(degrees, self._sums.effective_groups(_WEIGHT) - 1) if covered else degrees) * estimated.error

    def _spent(self) -> tuple[ReplayFigure, ReplayFigure]:
        """The spending, and the saved share of the decisions whose baseline is known."""
        totals = self._sums.totals
        effective = effective_size(self._cost_weights, self._cost_squares)
        corrects = effective >= ENOUGH_OUTCOMES
        paid, expected = (_WEIGHTED_PAID, _WEIGHTED_EXPECTED) if corrects else (_PAID, _EXPECTED)
        estimated = self._sums.jackknife(lambda sums: ratio(sums[..., paid], sums[..., expected]))
        factor = estimated.value
        groups = self._sums.effective_groups(_WEIGHTED_EXPECTED if corrects else _EXPECTED)
        margin = student(groups - 1) * estimated.error
        # Bounded decisions are corrected by what all models cost on average, relative to their estimates.
        usual = float(ratio(totals[_PAID], totals[_EXPECTED]))

        def figure(money: _Money) -> tuple[float, float, float]:
            covered, bounded = (money.covered, money.bounded) if corrects else (0.0, money.covered + money.bounded)
            then = money.unchanged + factor * covered + usual * bounded
            wide = 0.0 if math.isnan(margin) else margin * covered
            least, most = _COST_BOUNDS
            return then, then - wide - (1 - least) * usual * bounded, then + wide + (most - 1) * usual * bounded

        then, low, high = figure(self._all)
        known = self._with_baseline
        saved = ReplayFigure()
        if known.baseline_now > 0 and known.baseline_then > 0:
            shares = [1 - each / known.baseline_then for each in figure(known)]
            saved = ReplayFigure(1 - known.now / known.baseline_now, shares[0], shares[2], shares[1])
        return ReplayFigure(self._all.now, then, max(0.0, low), high), saved


def _repriced(page: DecisionColumns, factors: Floats) -> DecisionColumns:
    of_baseline = np.where(page.baseline >= 0, factors[page.rows, page.baseline], 1.0)
    return replace(
        page,
        cost=page.cost * factors,
        actual_cost=page.actual_cost * factors[page.rows, page.chosen],
        baseline_cost=page.baseline_cost * of_baseline,
    )


def _within_one(quality: float) -> float:
    return min(1.0, max(0.0, quality))
