"""The arithmetic of a cost, line by line: tokens of each kind times their rate. The sum is `gateway.catalog.cost` of the same usage."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.catalog import Price
from gateway.catalog.cost import MILLION, Rate
from gateway.completion import Usage
from gateway.providers.claude.response import parse_usage as parse_claude_usage
from gateway.providers.gemini.usage import parse_usage as parse_gemini_usage
from gateway.providers.openai_compatible.answer import parse_usage
from gateway.providers.openrouter import reported_cost

REPORTED = "reported by the provider"


class CostLine(NamedTuple):
    """`tokens` of one kind at `rate` (USD per million tokens) cost `usd`; `rate` is None for a cost that a provider reported."""

    kind: str
    tokens: int
    rate: Decimal | None
    usd: Decimal

    def to_json(self) -> dict[str, Any]:
        rate = None if self.rate is None else float(self.rate)
        return {"kind": self.kind, "tokens": self.tokens, "usd_per_million": rate, "usd": float(self.usd)}


def cost_lines(usage: Usage, price: Price | None) -> list[CostLine] | None:
    """The lines with tokens; None where no price is known, or none for a kind of media."""
    if usage.reported_cost is not None:
        return [CostLine(REPORTED, usage.prompt_tokens + usage.completion_tokens, None, usage.reported_cost)]
    if price is None:
        return None
    parts = [*_prompt(usage, price), *_completion(usage, price)]
    if any(rate is None for _, _, rate in parts):
        return None
    size, factor = usage.prompt_tokens, usage.rate_factor
    rates = [(kind, tokens, rate.at(size) * factor) for kind, tokens, rate in parts if rate is not None]
    return [CostLine(kind, tokens, rate, tokens * rate / MILLION) for kind, tokens, rate in rates]


def _prompt(usage: Usage, price: Price) -> Iterator[tuple[str, int, Rate | None]]:
    """Each token once, at the rate of its most specific kind."""
    read, write = price.cache_read or price.input, price.cache_write or price.input
    cached_audio = usage.cached_audio_tokens
    special = (
        ("cache read", usage.cached_tokens - cached_audio, read),
        ("cache read, audio", cached_audio, price.cache_read_audio or read),
        ("cache write", usage.cache_write_tokens, write),
        ("cache write, 1 hour", usage.cache_write_1h_tokens, price.cache_write_1h or write),
        ("input, audio", usage.prompt_audio_tokens - cached_audio, price.input_audio or price.input),
    )
    if plain := max(0, usage.prompt_tokens - sum(tokens for _, tokens, _ in special)):
        yield "input", plain, price.input
    yield from (part for part in special if part[1])


def _completion(usage: Usage, price: Price) -> Iterator[tuple[str, int, Rate | None]]:
    left = usage.completion_tokens
    media = (
        ("output, images", usage.completion_image_tokens, price.output_image),
        ("output, audio", usage.completion_audio_tokens, price.output_audio),
        ("output, video", usage.completion_video_tokens, price.output_video),
    )
    for kind, tokens, rate in media:
        if tokens:
            yield kind, min(tokens, left), rate
            left -= min(tokens, left)
    if price.output_reasoning and (reasoning := min(usage.reasoning_tokens, left)):
        yield "output, reasoning", reasoning, price.output_reasoning
        left -= reasoning
    if left:
        yield "output", left, price.output


def recorded_usage(raw: object, *, prompt_tokens: int | None, completion_tokens: int | None) -> Usage | None:
    """The usage of a stored call: from the provider's object, in any dialect, else from the counts; None where there are none."""
    if isinstance(raw, dict):
        parsed = parse_claude_usage(raw) or parse_gemini_usage({"usageMetadata": raw})
        if parsed := parsed or parse_usage(raw, reported_cost=reported_cost):
            return parsed
    if prompt_tokens is None or completion_tokens is None:
        return None
    return Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, estimated=True)
