"""Doubly robust estimates of another policy from recorded decisions, with intervals by groups of conversations.

The outcome model is the candidates' recorded estimates. Where the recorded choice happens to be the other policy's, its real
outcome corrects the model, weighted by one over the probability with which it was chosen. The result is right if the model or
the probabilities are: Dudik, Langford and Li, "Doubly robust policy evaluation and learning", ICML 2011,
https://arxiv.org/abs/1103.4601. The weights are self-normalised and clipped, as in Swaminathan and Joachims, "The
self-normalized estimator for counterfactual learning", NeurIPS 2015.

Variances are delete-one-group jackknife variances (Wolter, "Introduction to Variance Estimation", 2007, chapter 4): all turns of
a conversation are in one group, so that turns that depend on each other do not count as independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gateway.store.decision_columns import GROUPS, DecisionColumns, Flags, Floats, Integers

# Larger weights are reduced to this: one answer shall not decide the result.
MAX_WEIGHT = 200.0
_Z = 1.959964  # the 97.5 % quantile of the normal distribution


class JackknifeEstimate(NamedTuple):
    """A figure with its standard error; NaN where nothing is known."""

    value: float
    error: float


class GroupTotals:
    """Sums of several quantities by group of conversations."""

    def __init__(self, quantities: int) -> None:
        self._sums = np.zeros((GROUPS, quantities))

    def add(self, group: Integers, *quantities: Floats | Flags) -> None:
        """One array for each quantity, with a value per decision."""
        for column, values in enumerate(quantities):
            self._sums[:, column] += np.bincount(group, weights=values, minlength=GROUPS)

    @property
    def totals(self) -> Floats:
        totals: Floats = self._sums.sum(axis=0)
        return totals

    def groups_with(self, quantity: int) -> int:
        """The number of groups in which a quantity is not zero."""
        return int(np.count_nonzero(self._sums[:, quantity]))

    def effective_groups(self, weight: int) -> float:
        """As `effective_size`, of the groups, by the sums of this quantity: turns of one conversation count once."""
        sums = self._sums[:, weight]
        return effective_size(float(sums.sum()), float((sums**2).sum()))

    def jackknife(self, statistic: Callable[[Floats], Floats]) -> JackknifeEstimate:
        """`statistic` maps sums, with the quantities on the last axis, to the figure."""
        present = self._sums[self._sums.any(axis=1)]
        count = len(present)
        value = float(statistic(self.totals))
        if count < 2:
            return JackknifeEstimate(value, math.nan)
        without = statistic(self.totals - present)
        return JackknifeEstimate(value, math.sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum())))


class ImportanceWeights(NamedTuple):
    """What one page's outcomes say about another choice: the arrays have a value per decision.

    `changed` decisions have another favourite; of these, `covered` ones could have recorded it. `weight` is above zero where it
    was recorded.
    """

    changed: Flags
    covered: Flags
    weight: Floats


def importance_weights(page: DecisionColumns, target: Integers) -> ImportanceWeights:
    """`target` is the column of the other policy's choice."""
    changed = target != page.favourite
    probability = page.propensity[page.rows, target]
    covered = changed & (probability > 0)
    drawn = covered & (page.chosen == target)
    weight = np.zeros(len(page))
    weight[drawn] = np.minimum(1.0 / probability[drawn], MAX_WEIGHT)
    return ImportanceWeights(changed, covered, weight)


def effective_size(weights: float, squares: float) -> float:
    """The number of equally weighted observations that tell as much, from the sum of the weights and of their squares.

    Kish, "Survey Sampling", 1965.
    """
    return weights * weights / squares if squares else 0.0


def student(degrees: float) -> float:
    """The 97.5 % quantile of Student's t, from 4 degrees of freedom on, to 1 %: Abramowitz and Stegun 26.7.5."""
    z, v = _Z, max(4.0, degrees)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Zero where the denominator is."""
    zero = np.zeros_like(numerator, dtype=np.float64)
    return np.divide(numerator, denominator, out=zero, where=denominator != 0)
