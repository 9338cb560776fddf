"""The rates of a model, and the cost of usage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from gateway.completion import Usage

MILLION = Decimal(1_000_000)
NANO = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per million tokens. `tiers` are `(threshold in prompt tokens, USD per million)`, ascending; above a threshold, its rate applies to all tokens."""

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
    """The rates of one model. A token kind without a rate has the rate of the kind that includes it.

    Input includes cache reads, cache writes and audio; cache reads include cached audio; cache writes include one-hour cache writes;
    output includes reasoning. Generated audio, images and video are exceptions: they cost up to 20 times as much as text, so without
    a rate their cost is unknown.
    """

    input: Rate
    output: Rate
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    input_audio: Rate | None = None
    cache_read_audio: Rate | None = None
    output_reasoning: Rate | None = None
    output_audio: Rate | None = None
    output_image: Rate | None = None
    output_video: Rate | None = None


def cost(usage: Usage, price: Price | None) -> Decimal | None:
    """The cost of `usage` in USD: the amount reported by the provider, else computed from `price`; None if neither is known."""
    if usage.reported_cost is not None:
        return usage.reported_cost
    if price is None:
        return None
    size = usage.prompt_tokens
    completion = _completion_cost(usage, price, size)
    if completion is None:
        return None
    total = (_prompt_cost(usage, price, size) + completion) / MILLION
    return total if usage.rate_factor == 1 else total * usage.rate_factor


def cost_parts(usage: Usage, price: Price | None) -> tuple[Decimal, Decimal] | None:
    """USD of the prompt and of the completion at `price`; None if either is unknown."""
    if price is None:
        return None
    size = usage.prompt_tokens
    completion = _completion_cost(usage, price, size)
    if completion is None:
        return None
    unit = usage.rate_factor / MILLION
    return _prompt_cost(usage, price, size) * unit, completion * unit


def _prompt_cost(usage: Usage, price: Price, size: int) -> Decimal:
    """The cost of the prompt in millionths of a USD. Each token is charged once, at the rate of its most specific kind."""
    if not (
        usage.cached_tokens or usage.cache_write_tokens or usage.cache_write_1h_tokens or usage.prompt_audio_tokens
    ):
        return size * price.input.at(size)
    cache_read = price.cache_read or price.input
    cache_write = price.cache_write or price.input
    cached_audio = usage.cached_audio_tokens
    parts = (
        (usage.cached_tokens - cached_audio, cache_read),
        (cached_audio, price.cache_read_audio or cache_read),
        (usage.cache_write_tokens, cache_write),
        (usage.cache_write_1h_tokens, price.cache_write_1h or cache_write),
        (usage.prompt_audio_tokens - cached_audio, price.input_audio or price.input),
    )
    plain = max(0, size - sum(tokens for tokens, _ in parts))
    return sum((tokens * rate.at(size) for tokens, rate in parts if tokens), plain * price.input.at(size))


def _completion_cost(usage: Usage, price: Price, size: int) -> Decimal | None:
    """The cost of the completion in millionths of a USD; each token is charged once. None if a media kind has no rate."""
    left = usage.completion_tokens
    total = Decimal(0)
    media = (
        (usage.completion_image_tokens, price.output_image),
        (usage.completion_audio_tokens, price.output_audio),
        (usage.completion_video_tokens, price.output_video),
    )
    for tokens, rate in media:
        if not tokens:
            continue
        if rate is None:
            return None
        charged = min(tokens, left)
        left -= charged
        total += charged * rate.at(size)
    reasoning = min(usage.reasoning_tokens, left) if price.output_reasoning else 0
    if reasoning and price.output_reasoning:
        total += reasoning * price.output_reasoning.at(size)
    return total + (left - reasoning) * price.output.at(size)


def worst_case(prompt_tokens: int, max_tokens: int, price: Price) -> Decimal:
    """The highest possible cost in USD: the whole prompt at the highest input rate, `max_tokens` at the highest output rate."""
    inputs = (price.input, price.cache_write, price.cache_write_1h, price.input_audio)
    outputs = (price.output, price.output_reasoning, price.output_audio, price.output_image, price.output_video)
    prompt = max(rate.at(prompt_tokens) for rate in inputs if rate)
    completion = max(rate.at(prompt_tokens) for rate in outputs if rate)
    return (prompt_tokens * prompt + max_tokens * completion) / MILLION


def nano_dollars(amount: Decimal) -> int:
    """USD as integer nano-dollars, the unit of all sums."""
    return int((amount * NANO).to_integral_value(ROUND_HALF_EVEN))
