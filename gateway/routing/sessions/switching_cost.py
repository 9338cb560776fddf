"""Prices the loss of a provider's prompt cache when a session changes its model, and decides whether a change is worth that.

The model that a session is pinned to reads the repeated part of the prompt from its cache; any other model reads it at the full
price and may charge for writing it into a cache of its own. Both are added to the expected costs before the models are ranked.
A model that caches only up to breakpoints (`gateway.routing.sessions.prompt_caching`) has these prices only where the request
gets some, and then also pays for writing what is not cached yet.

A change pays or loses on every turn that follows, not on one. Where the conversation probably goes on, each model's cost is
therefore the mean over this request and the expected further ones, in which every model reads the repeated prompt from its own
cache:

    (this request + further * a request with a warm cache) / (1 + further)

How many turns follow is a prior, not learned: sessions have a heavy tail, so the expected rest of one grows with its length so
far. For a Lomax distribution (shape 2, scale 2) the mean rest after n turns is n + 2, here times the probability of a next
request (`prompt_caching`), and at most 20.

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

# The prior of further turns: the scale of the Lomax distribution, the most, and the probability of a next request below which
# a request is priced alone. Vendors cache no prefix below the number of tokens.
_SCALE, _MOST_TURNS, _LIKELY, _SHORTEST_PREFIX = 2.0, 20.0, 0.5, 1024
# A change needs at least this much more expected quality, or must save more than this share of the pinned model's cost.
_QUALITY_GAIN = 0.02
_SAVING = 0.1


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """The cost in USD of changing one session's model: `loss` is the discount of the cached prefix, `rewrites` what caching it costs another model.

    `surcharges` are what this request costs at the models on top of their expected cost, negative for savings of the cache;
    `per_turn` is the same as the mean over this request and those that are expected to follow.
    """

    lookup: SessionLookup
    surcharges: Mapping[ModelKey, float]
    loss: float
    rewrites: Mapping[ModelKey, float] = field(default_factory=dict)
    per_turn: Mapping[ModelKey, float] = field(default_factory=dict)

    def penalty(self, key: ModelKey) -> float:
        """The cost of a change to that model: the cached prefix is lost and written again."""
        return self.loss + self.rewrites.get(key, 0.0)


class SessionChoice(NamedTuple):
    """`ranking` after the session was taken into account. `kept` and `penalty` (USD) are None where no model was pinned."""

    ranking: Ranking
    kept: bool | None = None
    penalty: float | None = None


def expected_turns(turns: int, likelihood: float) -> float:
    """How many requests are expected to repeat this one's prompt soon, after `turns` answers. `likelihood`: of a next one, 0 to 1."""
    return likelihood * min(_MOST_TURNS, turns + _SCALE) if likelihood >= _LIKELY else 0.0


def switch_cost(
    lookup: SessionLookup,
    catalog: Catalog,
    *,
    prompt_tokens: int,
    breakpoints: CacheBreakpoints = NO_BREAKPOINTS,
    further: float = 0.0,
) -> SwitchCost:
    """At the catalogue's prices; a model that it does not list has no cache to lose. `further`: `expected_turns`."""
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
    per_turn = surcharges
    if further and prompt_tokens >= _SHORTEST_PREFIX:
        saved = {key: prompt_tokens * each for key, each in _cached_discounts(catalog) if breakpoints.act_at(key)}
        per_turn = {
            key: (surcharges.get(key, 0.0) - further * saved.get(key, 0.0)) / (1.0 + further)
            for key in surcharges.keys() | saved.keys()
        }
    return SwitchCost(lookup, surcharges, loss, rewrites, per_turn)


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
    free = cost.lookup.auxiliary or (cost.lookup.pinned.tentative and not cost.lookup.open_loop)
    if pinned is None or pinned.cooling or free or _worth_it(ranking, pinned, cost.lookup):
        return SessionChoice(ranking, kept=False, penalty=penalty)
    reason = (
        f"The conversation stays with {pinned_key.full_name}: "
        f"to change to {chosen.full_name} would cost ${penalty:.6f} in lost cache."
    )
    return SessionChoice(ranking.choose(pinned_key, because=reason), kept=True, penalty=penalty)


def cheapest(ranking: Ranking) -> Ranking:
    """The ranking with the cheapest able model in front: for a client's call for itself, which needs no better one."""
    rows = [row for key in ranking.keys if (row := ranking.of(key)) is not None and not row.cooling]
    least = min(rows, key=lambda row: row.cost, default=None)
    if least is None or least.key == ranking.chosen:
        return ranking
    return ranking.choose(least.key, because=f"A call of the client for itself: {least.key.full_name} is the cheapest.")


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
def _cached_discounts(catalog: Catalog) -> Sequence[tuple[ModelKey, float]]:
    """USD per prompt token that a cache read saves, for models where it does."""
    return [(model.key, discount / 1e6) for model in catalog if (discount := _cached_discount(model)) > 0]


@lru_cache(maxsize=8)
def _write_premiums(catalog: Catalog) -> Sequence[tuple[ModelKey, float]]:
    """USD per million prompt tokens that a cache write costs above the input price, for models where it does."""
    written = [(model, model.cache_write_price) for model in catalog if model.cache_write_price is not None]
    return [(model.key, price - model.input_price) for model, price in written if price > model.input_price]
