"""What the baseline model would have used and cost, had it served the whole conversation.

Its prompt cache is kept warm by every turn of the conversation, whichever model answered: it would have read the prefix of the last
turn where that is unchanged and the cache's lifetime is not over. Claude caches only up to breakpoints and charges for writing;
models with implicit caching read without either. Whatever the routed request read from its own cache was sent before, so the
baseline would have read that too. A first turn, a changed prefix and an expired cache are cold; a conversation that this process
does not remember is `unknown` and counted as cold.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.catalog.catalog import ModelKey
from gateway.catalog.cost import Price, cost_parts
from gateway.catalog.service_tier import STANDARD_RATES
from gateway.completion import Usage
from gateway.savings.conversation_prefix import FIRST, LIFETIME, Prefix
from gateway.savings.length_ratio import SAME, Ratio

# The shortest prompt that is cached without breakpoints, in tokens: https://platform.openai.com/docs/guides/prompt-caching and
# https://ai.google.dev/gemini-api/docs/caching (Gemini Flash; Pro models need more).
IMPLICIT_MINIMUM = 1_024
# Members of `baseline_usage` that are token counts, in the order of `Usage`.
_COUNTS = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens",
    "prompt_audio_tokens", "cached_audio_tokens", "completion_audio_tokens", "completion_image_tokens", "completion_video_tokens",
)  # fmt: skip
_MEDIA = (
    "prompt_audio_tokens", "completion_audio_tokens", "completion_image_tokens", "completion_video_tokens",
)  # fmt: skip
_ZERO = Decimal(0)


class CacheRules(NamedTuple):
    """How one model would have cached one request.

    `minimum` is its shortest cacheable prompt in tokens where it needs breakpoints, None where it caches without. `marked`: the
    request has breakpoints for it. `lifetime` is in seconds.
    """

    minimum: int | None = None
    marked: bool = False
    lifetime: float = LIFETIME


class CostRange(NamedTuple):
    """USD with its 95 % interval; all None where a price is unknown."""

    low: Decimal | None
    middle: Decimal | None
    high: Decimal | None


UNPRICED = CostRange(None, None, None)


class Lengths(NamedTuple):
    """The baseline's tokens per token of the answering model, and the client's limit of output tokens."""

    prompt: Ratio = SAME
    completion: Ratio = SAME
    limit: int | None = None


def baseline_usage(
    usage: Usage,
    baseline: ModelKey,
    *,
    rules: CacheRules = CacheRules(),  # noqa: B008 - immutable
    prefix: Prefix = FIRST,
    prefix_ratio: float = 1.0,
    lengths: Lengths = Lengths(),  # noqa: B008 - immutable
    rate_factor: Decimal = STANDARD_RATES,
) -> dict[str, Any]:
    """The usage of the baseline as the ledger stores it.

    `usage` is the answering model's. `rate_factor` is that of the service tier which the client named, at the baseline's provider. `prefix_ratio` is the baseline's prompt tokens per token of the model that answered the last
    turn. `cache` is `warm`, `cold`, `unknown` or `none` (the request gets no cache); `prefix_tokens` are those that a cache could
    have held; `_low` and `_high` are the ends of 95 % intervals.
    """
    prompt_ratio, ratio = lengths.prompt, lengths.completion
    prompt = round(usage.prompt_tokens * prompt_ratio.middle)
    read, written, state = _cached(
        usage, baseline, rules=rules, prefix=prefix, prefix_ratio=prefix_ratio, prompt=prompt, scale=prompt_ratio.middle
    )
    media = usage.completion_audio_tokens + usage.completion_image_tokens + usage.completion_video_tokens
    text = max(0, usage.completion_tokens - media)
    most = sys.maxsize if lengths.limit is None else max(text, lengths.limit)
    completion = min(round(text * ratio.middle), most)
    stored: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion + media, "cache": state}
    if prompt_ratio is not SAME:
        stored["prompt_tokens_low"] = round(usage.prompt_tokens * prompt_ratio.low)
        stored["prompt_tokens_high"] = round(usage.prompt_tokens * prompt_ratio.high)
    if ratio is not SAME:
        stored["completion_tokens_low"] = min(round(text * ratio.low), most) + media
        stored["completion_tokens_high"] = min(round(text * ratio.high), most) + media
    if rate_factor != STANDARD_RATES:
        stored["rate_factor"] = float(rate_factor)
    if read:
        stored["cached_tokens"] = read
    if written:
        stored["cache_write_tokens" if rules.lifetime == LIFETIME else "cache_write_1h_tokens"] = written
    if usage.reasoning_tokens:
        stored["reasoning_tokens"] = min(completion, round(usage.reasoning_tokens * ratio.middle))
    if prefix.state == "kept" and prefix.turn is not None:
        stored["prefix_tokens"] = min(usage.prompt_tokens, prefix.turn.tokens)
    if media or usage.prompt_audio_tokens:
        stored |= {name: tokens for name in _MEDIA if (tokens := getattr(usage, name))}
        stored["cached_audio_tokens"] = min(usage.cached_audio_tokens, read)
    return stored


def _cached(
    usage: Usage,
    baseline: ModelKey,
    *,
    rules: CacheRules,
    prefix: Prefix,
    prefix_ratio: float,
    prompt: int,
    scale: float,
) -> tuple[int, int, str]:
    """Tokens that the baseline would have read from its cache and written to it, and the state of the cache."""
    needs_marks = rules.minimum is not None
    if (needs_marks and not rules.marked) or prompt < (
        rules.minimum if rules.minimum is not None else IMPLICIT_MINIMUM
    ):
        return 0, 0, "none"
    turn = prefix.turn
    known = 0
    if (
        prefix.state == "kept"
        and turn is not None
        and (not needs_marks or turn.marked_by_client or baseline in turn.marked_models)
    ):
        known = round(turn.tokens * prefix_ratio)
    read = min(prompt, max(known, round(usage.cached_tokens * scale)))
    state = "warm" if read else "unknown" if prefix.state == "unknown" else "cold"
    if not needs_marks:
        return read, 0, state
    own = usage.cached_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
    marked = min(prompt, round(own * scale)) if usage.cache_write_tokens or usage.cache_write_1h_tokens else prompt
    return read, max(0, marked - read), state


def stored_usage(usage: Usage) -> dict[str, Any]:
    """The token counts as `baseline_usage` of a row: the baseline would have used just these."""
    return {name: tokens for name in _COUNTS if (tokens := getattr(usage, name))}


def usage_of_baseline(stored: Mapping[str, Any]) -> Usage:
    """The usage in a row's `baseline_usage`. Members of the wrong type, written by another tool, count as 0."""
    counts: list[Any] = [value if type(value := stored.get(name)) is int and value > 0 else 0 for name in _COUNTS]
    factor = stored.get("rate_factor")
    usage = Usage(*counts)
    return usage._replace(rate_factor=Decimal(repr(factor))) if type(factor) is float and factor > 0 else usage


def price_baseline(stored: Mapping[str, Any], price: Price | None) -> CostRange:
    """What a row's `baseline_usage` costs at `price`.

    The errors of prompt and completion are independent, so the ends of the interval are their root of squares from the middle.
    """
    usage = usage_of_baseline(stored)
    parts = cost_parts(usage, price)
    if parts is None:
        return UNPRICED
    middle = parts[0] + parts[1]
    if "completion_tokens_low" not in stored and "prompt_tokens_low" not in stored:
        return CostRange(middle, middle, middle)
    prompt, completion = float(parts[0]), float(parts[1])
    size, length = usage.prompt_tokens, usage.completion_tokens
    below = math.hypot(
        prompt * _distance(stored.get("prompt_tokens_low"), size),
        completion * _distance(stored.get("completion_tokens_low"), length),
    )
    above = math.hypot(
        prompt * _distance(stored.get("prompt_tokens_high"), size),
        completion * _distance(stored.get("completion_tokens_high"), length),
    )
    return CostRange(max(_ZERO, middle - Decimal(below)), middle, middle + Decimal(above))


def _distance(end: object, middle: int) -> float:
    """Distance of one end of the interval from the middle, as a share of the middle."""
    return abs(end - middle) / middle if type(end) is int and middle else 0.0
