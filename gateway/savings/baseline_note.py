"""Says in a sentence where the rule that serves as the baseline is odd at today's prices."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.catalog.catalog import TIERS, Model, Tier

# The size of a usual request in tokens, for comparing models with different ratios of input to output price.
_PROMPT, _COMPLETION = 1_000, 300
_ODD = 1.1  # times as expensive as the model of a higher tier


def odd_baseline(defaults: Mapping[Tier, Model]) -> str | None:
    """The sentence where a lower tier's default model costs more than a higher tier's, the worst case first; None where none does."""
    worst: tuple[float, Tier, Tier] | None = None
    for index, lower in enumerate(TIERS):
        for higher in TIERS[index + 1 :]:
            if lower not in defaults or higher not in defaults or not _cost(defaults[higher]):
                continue
            times = _cost(defaults[lower]) / _cost(defaults[higher])
            if times >= _ODD and (worst is None or times > worst[0]):
                worst = times, lower, higher
    if worst is None:
        return None
    times, lower, higher = worst
    return (
        f"The rule baseline is odd at today's prices: for {lower} prompts it takes {defaults[lower].full_name}, "
        f"which costs {times:.1f} times as much as {defaults[higher].full_name}, its choice for {higher} prompts."
    )


def _cost(model: Model) -> float:
    return _PROMPT * model.input_price + _COMPLETION * model.output_price
