"""What another policy would have cost, and how good its answers would have been, from recorded decisions; nobody is called.

The other policy decides again on the recorded candidates. The learned strategy cannot be repeated exactly, because a row lacks
some of what it looked at, such as the bonus for uncertainty. The present policy is then repeated in the same way, and a decision
changes only where the two differ: what the row lacks matters to neither. Unchanged decisions keep their real cost and
quality. Changed ones get the candidate's estimate with the correction of `doubly_robust`.

Where the other choice could not have been recorded (its probability was zero), nothing corrects the estimate. These decisions are
bounded: their quality may be 0 or 1, their cost half or twice the estimate. If they are too many, no quality is given at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gateway.catalog import ModelKey
from gateway.savings.conversations import ConversationMemory
from gateway.savings.doubly_robust import importance_weights
from gateway.savings.replay_report import ReplayReport, ReplayTotals, report
from gateway.store.decision_columns import DecisionColumns, Floats, Integers, RecordedPolicy


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


class Replay:
    """Takes pages of decisions in the order of the ledger. Memory does not grow with the number of decisions."""

    def __init__(self, *, now: RecordedPolicy, then: RecordedPolicy, price_change: PriceChange | None = None) -> None:
        self._now, self._then, self._price_change = now, then, price_change
        self._conversations = ConversationMemory()
        self._sums = ReplayTotals()

    def add(self, page: DecisionColumns, *, requests: int) -> None:
        """`requests` counts the rows that the page was made of, usable or not."""
        self._sums.requests += requests
        if not len(page):
            return
        priced = page if self._price_change is None else _repriced(page, self._price_change.factors(page))
        now, then = self._now.favourites(page), self._then.favourites(priced)
        same = then < 0 if self._then.exact else (now == then) | (then < 0)
        target = np.where(same, page.favourite, then)
        page, priced, target = self._conversations.continued(page, priced, target)
        self._add_quality(page, priced, target)
        self._add_money(page, priced, target)

    def report(self) -> ReplayReport:
        """The figures so far."""
        return report(self._sums)

    def _add_quality(self, page: DecisionColumns, priced: DecisionColumns, target: Integers) -> None:
        """Counts, qualities, and the quantities of each group of conversations."""
        sums, rows, chosen = self._sums, page.rows, page.chosen
        changed, covered, weight = importance_weights(page, target)
        quality, other_quality, cost = page.quality[rows, chosen], page.quality[rows, target], priced.cost[rows, chosen]
        labelled = ~np.isnan(page.label)
        residual = np.where(labelled, page.label - quality, 0.0)
        label_weight, paid = weight * labelled, priced.actual_cost
        sums.groups.add(
            page.group,
            labelled, residual, labelled & ~changed, residual * ~changed, label_weight, label_weight * residual,
            paid, cost, weight * paid, weight * cost,
        )  # fmt: skip
        sums.usable += len(page)
        sums.changed += int(changed.sum())
        sums.covered += int(covered.sum())
        sums.expected_now += float(quality.sum())
        sums.expected_unchanged += float(quality[~changed].sum())
        sums.expected_covered += float(other_quality[covered].sum())
        sums.expected_bounded += float(other_quality[changed & ~covered].sum())
        sums.label_squares += float((label_weight**2).sum())
        sums.cost_weights += float(weight.sum())
        sums.cost_squares += float((weight**2).sum())

    def _add_money(self, page: DecisionColumns, priced: DecisionColumns, target: Integers) -> None:
        changed, covered, _ = importance_weights(page, target)
        other_cost, known = priced.cost[page.rows, target], ~np.isnan(page.baseline_cost)
        for money, among in ((self._sums.everything, np.ones_like(known)), (self._sums.with_baseline, known)):
            money.now += float(page.actual_cost[among].sum())
            money.unchanged += float(priced.actual_cost[among & ~changed].sum())
            money.covered += float(other_cost[among & covered].sum())
            money.bounded += float(other_cost[among & changed & ~covered].sum())
            money.baseline_now += float(page.baseline_cost[among & known].sum())
            money.baseline_then += float(priced.baseline_cost[among & known].sum())


def _repriced(page: DecisionColumns, factors: Floats) -> DecisionColumns:
    of_baseline = np.where(page.baseline >= 0, factors[page.rows, page.baseline], 1.0)
    return replace(
        page,
        cost=page.cost * factors,
        actual_cost=page.actual_cost * factors[page.rows, page.chosen],
        baseline_cost=page.baseline_cost * of_baseline,
    )
