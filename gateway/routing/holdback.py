"""The holdback: a random share of the conversations goes to the baseline, so that savings and quality are measured.

Without it the baseline's cost and quality are only modelled. The draw is a keyed hash of the conversation and the seed, so all
turns of a conversation are on the same side, and a repeated request is decided alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from gateway.accounts.daily_spending import DailySpending
from gateway.accounts.virtual_keys import VirtualKey
from gateway.catalog.catalog import ModelKey
from gateway.records import RequestRecord
from gateway.routing.sessions.affinity import SessionLookup
from gateway.routing.strategies.ranking import Ranking


class HoldbackDraw(NamedTuple):
    """`held` says whether the conversation was drawn, None where no draw was possible. `routed` is the ranking without holdback."""

    ranking: Ranking
    held: bool | None = None
    routed: Ranking | None = None


class HoldbackSpending(DailySpending):
    """What held-back requests cost more than the routed choices would have; negative where the baseline is cheaper."""

    def observe(self, record: RequestRecord) -> None:
        """Adds a settled row."""
        if record.holdback and record.actual_cost is not None:
            self.add(record.actual_cost - (record.shadow_cost or Decimal(0)))


class Holdback:
    """Draws for requests of which the gateway chooses the model. `share` is 0 to 1, `daily_usd` the cap of the day's extra cost.

    Once the cap is reached nothing is drawn until the next UTC day. Requests under way may exceed it.
    """

    def __init__(self, share: float, *, daily_usd: Decimal, spending: HoldbackSpending, seed: int) -> None:
        self._share = share
        self._daily_usd = daily_usd
        self._spending = spending
        self._seed = seed

    def draw(
        self, ranking: Ranking, baseline: ModelKey, *, session: SessionLookup | None, key: VirtualKey | None
    ) -> HoldbackDraw:
        """The baseline in front where the conversation is drawn, and exact propensities on both sides of the draw.

        No draw is possible without a conversation, above the cap, where the baseline may not answer or is cooling down, and
        for a key that opts out or limits what one request may cost.
        """
        place = ranking.models.columns.index.get(baseline)
        if session is None or place is None or ranking.models.cooling[place] or not _takes_part(key):
            return HoldbackDraw(ranking)
        if self._spending.spent >= self._daily_usd:
            return HoldbackDraw(ranking)
        mixed = _mixed(ranking.propensities, place, share=self._share)
        if session.draw(seed=self._seed, purpose="holdback") >= self._share:
            chosen = ranking.models.columns.index.get(ranking.chosen, place)
            propensity = None if ranking.propensity is None else mixed.get(chosen, 0.0)
            return HoldbackDraw(ranking._replace(propensities=mixed, propensity=propensity), False, ranking)
        held = ranking.choose(baseline, because=f"Holdback: the baseline {baseline.full_name} answers, to be measured.")
        propensity = None if ranking.propensity is None else mixed[place]
        return HoldbackDraw(held._replace(propensities=mixed, propensity=propensity), True, ranking)


def _takes_part(key: VirtualKey | None) -> bool:
    return key is None or (key.holdback and key.max_cost_nano is None)


def _mixed(propensities: Mapping[int, float], baseline: int, *, share: float) -> dict[int, float]:
    """The probabilities with which each model answers: by routing outside of the holdback, by the baseline inside."""
    mixed = {place: (1.0 - share) * propensity for place, propensity in propensities.items()}
    mixed[baseline] = mixed.get(baseline, 0.0) + share
    return mixed
