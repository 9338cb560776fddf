"""What the baseline model would have used and cost, had it served the whole conversation.

Its prompt cache is kept warm by every turn of the conversation, whichever model answered: it would have read the prefix of the last
turn where that is unchanged and the cache's lifetime is not over. Claude caches only up to breakpoints and charges for writing;
models with implicit caching read without either. Whatever the routed request read from its own cache was sent before, so the
baseline would have read that too. A first turn, a changed prefix and an expired cache are cold; a conversation that this process
does not remember is `unknown` and counted as cold.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.catalog.catalog import ModelKey
from gateway.catalog.cost import Price, cost
from gateway.completion import Usage
from gateway.savings.conversation_prefix import FIRST, LIFETIME, Prefix
from gateway.savings.length_ratio import SAME, Ratio

# The shortest prompt that is cached without breakpoints, in tokens: https://platform.openai.com/docs/guides/prompt-caching and
# https://ai.google.dev/gemini-api/docs/caching (Gemini Flash; Pro models need more).
IMPLICIT_MINIMUM = 1_024
# Members of `baseline_usage` that are token counts of `Usage`.
_COUNTS = (
    "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens",
    "prompt_audio_tokens", "cached_audio_tokens", "completion_audio_tokens", "completion_image_tokens", "completion_video_tokens",
)  # fmt: skip


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
) -> dict[str, Any]:
    """The usage of the baseline as the ledger stores it.

    `usage` is the answering model's. `prefix_ratio` is the baseline's prompt tokens per token of the model that answered the last
    turn. `cache` is `warm`, `cold`, `unknown` or `none` (the request gets no cache); `prefix_tokens` are those that a cache could
    have held; `_low` and `_high` are the ends of 95 % intervals.
    """
    prompt = round(usage.prompt_tokens * lengths.prompt.middle)
    read, written, state = _cached(
        usage,
        baseline,
        rules=rules,
        prefix=prefix,
        prefix_ratio=prefix_ratio,
        prompt=prompt,
        scale=lengths.prompt.middle,
    )
    stored: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": 0, "cached_tokens": read}
    stored["cache_write_tokens" if rules.lifetime == LIFETIME else "cache_write_1h_tokens"] = written
    if lengths.prompt is not SAME:
        stored["prompt_tokens_low"] = round(usage.prompt_tokens * lengths.prompt.low)
        stored["prompt_tokens_high"] = round(usage.prompt_tokens * lengths.prompt.high)
    media = usage.completion_audio_tokens + usage.completion_image_tokens + usage.completion_video_tokens
    text = max(0, usage.completion_tokens - media)
    most = max(text, lengths.limit) if lengths.limit is not None else None
    low, middle, high = (_within(round(text * ratio), most) for ratio in lengths.completion)
    stored["completion_tokens"] = middle + media
    if lengths.completion is not SAME:
        stored["completion_tokens_low"], stored["completion_tokens_high"] = low + media, high + media
    stored["reasoning_tokens"] = min(middle, round(usage.reasoning_tokens * lengths.completion.middle))
    stored["prompt_audio_tokens"] = usage.prompt_audio_tokens
    stored["cached_audio_tokens"] = min(usage.cached_audio_tokens, read)
    stored["completion_audio_tokens"] = usage.completion_audio_tokens
    stored["completion_image_tokens"] = usage.completion_image_tokens
    stored["completion_video_tokens"] = usage.completion_video_tokens
    if prefix.turn is not None:
        stored["prefix_tokens"] = min(usage.prompt_tokens, prefix.turn.tokens) if prefix.state == "kept" else 0
    return {name: value for name, value in stored.items() if value or name in _ALWAYS} | {"cache": state}


_ALWAYS = ("prompt_tokens", "completion_tokens")


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


def _within(tokens: int, most: int | None) -> int:
    return tokens if most is None else min(tokens, most)


def usage_of_baseline(stored: Mapping[str, Any]) -> Usage:
    """The usage in a row's `baseline_usage`. Members of the wrong type, written by another tool, count as 0."""
    counts: dict[str, Any] = {name: _count(stored.get(name)) for name in _COUNTS}
    return Usage(**counts)


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def price_baseline(stored: Mapping[str, Any], price: Price | None) -> CostRange:
    """What a row's `baseline_usage` costs at `price`.

    The errors of prompt and completion are independent, so the ends of the interval are their root of squares from the middle.
    """
    usage = usage_of_baseline(stored)
    middle = cost(usage, price)
    prompt = cost(usage._replace(completion_tokens=0), price)
    if middle is None or prompt is None:
        return UNPRICED
    completion = middle - prompt
    ends = [
        (
            prompt * _relative(stored, "prompt_tokens", end, whole=usage.prompt_tokens),
            completion * _relative(stored, "completion_tokens", end, whole=usage.completion_tokens),
        )
        for end in ("low", "high")
    ]
    (low, high) = ((p * p + c * c).sqrt() for p, c in ends)
    return CostRange(max(Decimal(0), middle - low), middle, middle + high)


def _relative(stored: Mapping[str, Any], name: str, end: str, *, whole: int) -> Decimal:
    """Distance of one end of the interval from the middle, as a share of the middle."""
    value = stored.get(f"{name}_{end}")
    if type(value) is not int or not whole:
        return Decimal(0)
    return abs(Decimal(value) - whole) / whole
