"""What it costs a conversation to change its model, and whether a decision to do so is worth that.

The holder of a session reads the repeated part of the prompt from its cache; any other model reads it at the full price and
may charge for writing it into a cache of its own. Both go into the candidates' expected costs before anything is decided.
Where a model caches only what is marked (`gateway.routing.sessions.prompt_caching`), it has these prices only with breakpoints in the
request, and pays the write for everything that it has not cached yet.
Afterwards a change that gains next to nothing, was drawn to explore, or would come between a tool call and its result is
taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from gateway.catalog.catalog import Catalog, Model
from gateway.routing.sessions.affinity import SessionLookup
from gateway.routing.sessions.prompt_caching import NO_MARKS, CacheBreakpoints
from gateway.routing.types import RoutingDecision

Key = tuple[str, str]

# Less than this much expected quality, or this share of the holder's cost, is no reason to change.
_QUALITY_GAIN = 0.02
_SAVING = 0.1


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """The prices of changing the model of one session, USD: `rewrites` is what writing its cached prefix anew costs a model."""

    lookup: SessionLookup
    surcharges: Mapping[Key, float]
    loss: float
    rewrites: Mapping[Key, float] = field(default_factory=dict)

    def penalty(self, key: Key) -> float:
        """What a change to that model costs: the cached prefix lost, and written anew."""
        return self.loss + self.rewrites.get(key, 0.0)


def switch_cost(
    lookup: SessionLookup, catalog: Catalog, *, prompt_tokens: int, marks: CacheBreakpoints = NO_MARKS
) -> SwitchCost:
    """At the catalogue's prices; a model that it does not list holds nothing that could be lost."""
    held = lookup.held
    holder = catalog.get(*held.key) if held is not None else None
    tokens = min(lookup.cached, prompt_tokens)
    if holder is None or not marks.act_at(holder.key):
        tokens = 0
    loss = tokens * _cached_discount(holder) / 1e6 if holder is not None else 0.0
    premiums = [(key, premium / 1e6) for key, premium in _write_premiums(catalog) if marks.act_at(key)]
    rewrites = {key: tokens * premium for key, premium in premiums if tokens}
    surcharges = dict(rewrites)
    for key, premium in premiums:
        if marks.needed_by(key):
            surcharges[key] = prompt_tokens * premium
    if holder is not None and tokens:
        written = (prompt_tokens - tokens) / prompt_tokens if marks.needed_by(holder.key) else 0.0
        surcharges[holder.key] = written * surcharges.get(holder.key, 0.0) - loss
    return SwitchCost(lookup, surcharges, loss, rewrites)


def keep_unless_worth_it(decision: RoutingDecision, prices: SwitchCost) -> RoutingDecision:
    """The decision, or the holder of the session in its place; the metadata tell `session_kept` and `switch_penalty` (USD)."""
    held = prices.lookup.held
    if held is None:
        return decision
    entries: list[Mapping[str, Any]] = decision.metadata.get("candidates") or []
    own = next((entry for entry in entries if (entry["provider"], entry["model"]) == held.key), None)
    chosen = (decision.provider, decision.model)
    if chosen == held.key:
        rivals = ((str(entry["provider"]), str(entry["model"])) for entry in entries if entry is not own)
        return _told(decision, kept=True, penalty=prices.penalty(next(rivals, held.key)))
    penalty = prices.penalty(chosen)
    if own is None or own.get("cooling") or prices.lookup.housekeeping or _worth_it(decision, own, prices.lookup):
        return _told(decision, kept=False, penalty=penalty)
    said = f"The conversation stays with {held.provider}/{held.model}: to change to {chosen[0]}/{chosen[1]} would cost ${penalty:.6f} in lost cache."
    stayed = with_choice(decision, own, reasoning=said)
    return _told(stayed, kept=True, penalty=penalty)


def with_choice(decision: RoutingDecision, entry: Mapping[str, Any], *, reasoning: str) -> RoutingDecision:
    """The decision with another of its candidates in front, which was not drawn but is certain."""
    others = [each for each in decision.metadata["candidates"] if each is not entry]
    metadata = {
        **decision.metadata,
        "candidates": [
            {**entry, "propensity": 1.0},
            *(each if each.get("propensity") == 0.0 else {**each, "propensity": 0.0} for each in others),
        ],
        "propensity": 1.0,
        "quality_score": entry.get("quality"),
        "cost_estimate": entry.get("cost"),
        "outcomes": entry.get("outcomes"),
    }
    return replace(
        decision,
        provider=str(entry["provider"]),
        model=str(entry["model"]),
        reasoning=f"{reasoning} {decision.reasoning}",
        metadata=metadata,
    )


def _worth_it(decision: RoutingDecision, own: Mapping[str, Any], lookup: SessionLookup) -> bool:
    """Costs include the surcharges already."""
    told = decision.metadata
    propensity, quality, cost = told.get("propensity"), told.get("quality_score"), told.get("cost_estimate")
    explores = propensity is not None and propensity < 0.5
    if lookup.open_loop or explores:
        return False
    if quality is None or cost is None:
        return True  # a replaced strategy decided, and does not say why
    if quality - own["quality"] >= _QUALITY_GAIN:
        return True
    return bool(own["cost"] - cost > _SAVING * own["cost"])


def _told(decision: RoutingDecision, *, kept: bool, penalty: float) -> RoutingDecision:
    return replace(decision, metadata={**decision.metadata, "session_kept": kept, "switch_penalty": penalty})


def _cached_discount(model: Model) -> float:
    """USD per million prompt tokens that its cache saves."""
    return max(0.0, model.input_price - model.cache_read_price) if model.cache_read_price is not None else 0.0


@lru_cache(maxsize=8)  # of the configurations that a reload leaves behind, few are in use
def _write_premiums(catalog: Catalog) -> Sequence[tuple[Key, float]]:
    """USD per million prompt tokens that writing them to its cache costs on top, where that costs anything."""
    written = [(model, model.cache_write_price) for model in catalog if model.cache_write_price is not None]
    return [(model.key, price - model.input_price) for model, price in written if price > model.input_price]
