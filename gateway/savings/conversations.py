"""Conversations in a replay: a turn that stayed with its conversation's model belongs to the decision that chose that model.

Such a turn was not decided again, so it has the probabilities and the new choice of the earlier decision. A conversation that would
have been elsewhere would have a cache there too: the other models' costs are reduced by the same share as the real one's.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gateway.store.decision_columns import DecisionColumns, Floats, Integers

REMEMBERED = 20_000  # conversations; of more, those without a turn for the longest time are forgotten


class _Decision(NamedTuple):
    propensity: Floats
    chosen: int
    favourite: int
    target: int


class ConversationMemory:
    """The newest decision of each conversation."""

    def __init__(self, *, most: int = REMEMBERED) -> None:
        self._most = most
        self._decisions: OrderedDict[str, _Decision] = OrderedDict()

    def continued(
        self, page: DecisionColumns, priced: DecisionColumns, target: Integers
    ) -> tuple[DecisionColumns, DecisionColumns, Integers]:
        """The page, the same at other prices, and the new choices, with kept turns following their conversation's decision.

        A kept turn whose decision is not known, or does not fit, stays as it was: certain and unchanged.
        """
        if not any(page.conversations):
            return page, priced, target
        propensity, favourite, target = page.propensity.copy(), page.favourite.copy(), target.copy()
        cost = priced.cost.copy()
        for row, (session, kept) in enumerate(zip(page.conversations, page.kept.tolist(), strict=True)):
            if session is None:
                continue
            if not kept:
                own = propensity[row].copy()  # a view would keep the whole page in memory
                self._remember(session, _Decision(own, int(page.chosen[row]), int(favourite[row]), int(target[row])))
                continue
            chosen, earlier = int(page.chosen[row]), self._decisions.get(session)
            if earlier is None or earlier.chosen != chosen or np.isnan(cost[row, earlier.target]):
                propensity[row] = 0.0
                propensity[row, chosen] = 1.0
                favourite[row] = target[row] = chosen
                continue
            propensity[row] = 0.0
            propensity[row, : len(earlier.propensity)] = earlier.propensity
            favourite[row], target[row] = earlier.favourite, earlier.target
            if earlier.target != chosen:
                warm = cost[row, chosen]
                cost[row, earlier.target] *= warm / (warm + page.penalty[row]) if warm else 1.0
        page = replace(page, propensity=propensity, favourite=favourite)
        return page, replace(priced, propensity=propensity, favourite=favourite, cost=cost), target

    def _remember(self, session: str, decision: _Decision) -> None:
        self._decisions[session] = decision
        self._decisions.move_to_end(session)
        if len(self._decisions) > self._most:
            self._decisions.popitem(last=False)
