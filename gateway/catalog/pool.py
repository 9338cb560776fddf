"""The pool: the few models of a large catalogue that `auto` chooses among.

Each further candidate is one more that can look better than it is, and few models are ever worth their price. A model that another
one beats in public strength at no higher a price is therefore known and can be named, but is not routed to.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalog.catalog import TIERS, Model

# A catalogue of at most so many models is its own pool.
MOST = 8


def pool_of(models: Sequence[Model]) -> tuple[Model, ...]:
    """In the order of `models`: those without a public strength or at an effort, the first of each tier, and the strongest at its price or below.

    Of the last, at most so many that the pool has 8 models: those that add the most strength to the next cheaper one.
    """
    if len(models) <= MOST:
        return tuple(models)
    # List prices do not tell what an effort costs, so they cannot rule it out.
    kept = {model.key for model in models if model.strength is None or model.effort is not None}
    kept |= {next(model for model in models if model.tier == tier).key for tier in TIERS if _has(models, tier)}
    gains: list[tuple[float, Model]] = []
    highest = -float("inf")
    for model in sorted((m for m in models if m.strength is not None), key=lambda m: (_price(m), -(m.strength or 0.0))):
        strength = model.strength or 0.0
        if strength > highest:
            gains.append((strength - highest, model))
            highest = strength
    gains.sort(key=lambda gain: -gain[0])
    strongest = max(gains, key=lambda gain: gain[1].strength or 0.0, default=None)
    for _, model in [*([strongest] if strongest else []), *gains]:
        if len(kept) < MOST:
            kept.add(model.key)
    return tuple([model for model in models if model.key in kept])


def _has(models: Sequence[Model], tier: str) -> bool:
    return any(model.tier == tier for model in models)


def _price(model: Model) -> float:
    """USD per million tokens, three of the prompt for one of the answer."""
    return (3.0 * model.input_price + model.output_price) / 4.0
