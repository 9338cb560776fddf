"""What an answer costs: usage times the prices in force at the time of the request."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from gateway.wire import Usage

MILLION = Decimal(1_000_000)
NANO = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per million tokens; `tiers` are `(prompt tokens above which, USD per million)`, rising: all tokens pay the tier's rate."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, prompt_tokens: int) -> Decimal:
        rate = self.base
        for above, tier in self.tiers:
            if prompt_tokens > above:
                rate = tier
        return rate


@dataclass(frozen=True, slots=True)
class Price:
    """The rates of one model. A kind without a rate of its own is charged as what it is part of (cache and audio as input)."""

    input: Rate
    output: Rate
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    input_audio: Rate | None = None


def cost(usage: Usage, price: Price | None) -> Decimal | None:
    """USD for `usage`: the provider's own figure where it gave one, else by `price`; None when neither is known."""
    if usage.reported_cost is not None:
        return usage.reported_cost
    if price is None:
        return None
    size = usage.prompt_tokens
    write_1h = price.cache_write_1h or price.cache_write or price.input
    parts = (
        (usage.cached_tokens, price.cache_read or price.input),
        (usage.cache_write_tokens, price.cache_write or price.input),
        (usage.cache_write_1h_tokens, write_1h),
        (usage.prompt_audio_tokens, price.input_audio or price.input),
    )
    plain = max(0, size - sum(tokens for tokens, _ in parts))
    total = sum((tokens * rate.at(size) for tokens, rate in parts), Decimal(0))
    return (total + plain * price.input.at(size) + usage.completion_tokens * price.output.at(size)) / MILLION


def nano_dollars(amount: Decimal) -> int:
    """USD as integer nano-dollars, the unit in which money is added up."""
    return int((amount * NANO).to_integral_value(ROUND_HALF_EVEN))
