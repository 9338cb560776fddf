"""Prices the loss of a provider's prompt cache when a session changes its model, and decides whether a change is worth that.

The model that a session is pinned to reads the repeated part of the prompt from its cache; any other model reads it at the full
price and may charge for writing it into a cache of its own. Both are added to the expected costs before the models are ranked.
A model that caches only up to breakpoints (`gateway.routing.sessions.prompt_caching`) has these prices only where the request
gets some, and then also pays for writing what is not cached yet.

After the ranking, three kinds of change are taken back: those that gain next to nothing, those drawn to explore, and those
between a tool call and its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from gateway.catalog.catalog import Catalog, Model, ModelKey
from gateway.routing.sessions.affinity import SessionLookup
from gateway.routing.sessions.prompt_caching import NO_BREAKPOINTS, CacheBreakpoints
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.strategies.scored_models import ScoredModel

# A change needs at least this much more expected quality, or must save more than this share of the pinned model's cost.
_QUALITY_GAIN = 0.02
_SAVING = 0.1


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """The cost in USD of changing one session's model: `loss` is the discount of the cached prefix, `rewrites` what caching it costs another model.

    `surcharges` are what the models cost on top of their expected cost, negative for savings of the cache.
    """

    lookup: SessionLookup
    surcharges: Mapping[ModelKey, float]
    loss: float
    rewrites: Mapping[ModelKey, float] = field(default_factory=dict)

    def penalty(self, key: ModelKey) -> float:
        """The cost of a change to that model: the cached prefix is lost and written again."""
        return self.loss + self.rewrites.get(key, 0.0)


class SessionChoice(NamedTuple):
    """`ranking` after the session was taken into account. `kept` and `penalty` (USD) are None where no model was pinned."""

    ranking: Ranking
    kept: bool | None = None
    penalty: float | None = None


def switch_cost(
    lookup: SessionLookup, catalog: Catalog, *, prompt_tokens: int, breakpoints: CacheBreakpoints = NO_BREAKPOINTS
) -> SwitchCost:
    """At the catalogue's prices; a model that it does not list has no cache to lose."""
    pinned = catalog.get(*lookup.pinned.key) if lookup.pinned is not None else None
    tokens = min(lookup.cached, prompt_tokens)
    if pinned is None or not breakpoints.act_at(pinned.key):
        tokens = 0
    loss = tokens * _cached_discount(pinned) / 1e6 if pinned is not None else 0.0
    premiums = [(key, premium / 1e6) for key, premium in _write_premiums(catalog) if breakpoints.act_at(key)]
    rewrites = {key: tokens * premium for key, premium in premiums if tokens}
    surcharges = dict(rewrites)
    for key, premium in premiums:
        if breakpoints.needed_by(key):
            surcharges[key] = prompt_tokens * premium
    if pinned is not None and tokens:
        written = (prompt_tokens - tokens) / prompt_tokens if breakpoints.needed_by(pinned.key) else 0.0
        surcharges[pinned.key] = written * surcharges.get(pinned.key, 0.0) - loss
    return SwitchCost(lookup, surcharges, loss, rewrites)


def keep_unless_worth_it(ranking: Ranking, cost: SwitchCost) -> SessionChoice:
    """The ranking as it is, or with the session's pinned model in front where a change is not worth its cost."""
    if cost.lookup.pinned is None:
        return SessionChoice(ranking)
    pinned_key, chosen = cost.lookup.pinned.key, ranking.chosen
    pinned = ranking.of(pinned_key)
    if chosen == pinned_key:
        alternative = next((key for key in ranking.keys if key != pinned_key), pinned_key)
        return SessionChoice(ranking, kept=True, penalty=cost.penalty(alternative))
    penalty = cost.penalty(chosen)
    if pinned is None or pinned.cooling or cost.lookup.auxiliary or _worth_it(ranking, pinned, cost.lookup):
        return SessionChoice(ranking, kept=False, penalty=penalty)
    reason = (
        f"The conversation stays with {pinned_key.full_name}: "
        f"to change to {chosen.full_name} would cost ${penalty:.6f} in lost cache."
    )
    return SessionChoice(ranking.choose(pinned_key, because=reason), kept=True, penalty=penalty)


def _worth_it(ranking: Ranking, pinned: ScoredModel, lookup: SessionLookup) -> bool:
    """Costs include the surcharges."""
    explores = ranking.propensity is not None and ranking.propensity < 0.5
    if lookup.open_loop or explores:
        return False
    if ranking.quality is None or ranking.cost is None:
        return True  # a replaced strategy decided and gives no figures
    if ranking.quality - pinned.shown_quality >= _QUALITY_GAIN:
        return True
    return pinned.cost - ranking.cost > _SAVING * pinned.cost


def _cached_discount(model: Model) -> float:
    """USD per million prompt tokens that a cache read saves."""
    return max(0.0, model.input_price - model.cache_read_price) if model.cache_read_price is not None else 0.0


@lru_cache(maxsize=8)  # reloads leave few catalogues in use
def _write_premiums(catalog: Catalog) -> Sequence[tuple[ModelKey, float]]:
    """USD per million prompt tokens that a cache write costs above the input price, for models where it does."""
    written = [(model, model.cache_write_price) for model in catalog if model.cache_write_price is not None]
    return [(model.key, price - model.input_price) for model, price in written if price > model.input_price]
