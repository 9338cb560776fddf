"""Says why a conversation's cached prefix was not read, and what that cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from gateway.catalog.catalog import ModelKey
from gateway.catalog.cost import MILLION, Price
from gateway.completion import Usage
from gateway.savings.conversation_prefix import Prefix
from gateway.savings.counterfactual import IMPLICIT_MINIMUM, CacheRules

CacheMiss = Literal["switched_model", "switched_host", "expired", "prefix_changed", "no_marks"]
_READ = 0.5  # share of the prefix from which on it counts as read; providers read in blocks of 128 tokens and more


class CacheLoss(NamedTuple):
    """What a cache miss lost: tokens of the prompt that a cache could have held and did not, and their price in USD.

    `usd` is what was paid for the tokens above the price of reading them; None where the model has no known price.
    """

    tokens: int
    usd: Decimal | None


def cache_miss(
    usage: Usage, selected: ModelKey, prefix: Prefix, *, rules: CacheRules, rules_before: CacheRules
) -> CacheMiss | None:
    """The first cause that suffices; None where the prefix was read, none was known or none could have been cached.

    `rules` are those of the answering model in this turn, `rules_before` those of the last turn's model.
    """
    turn = prefix.turn
    if turn is None:
        return None
    tokens = min(turn.tokens, usage.prompt_tokens)
    least = rules.minimum if rules.minimum is not None else IMPLICIT_MINIMUM
    if tokens < least or usage.cached_tokens >= _READ * tokens:
        return None
    if prefix.state == "changed":
        return "prefix_changed"
    if prefix.state == "expired":
        return "expired"
    if rules_before.minimum is not None and not _was_marked(prefix, turn.key):
        return "no_marks"
    if selected != turn.key:
        return "switched_host" if _same_model(selected, turn.key) else "switched_model"
    if rules.minimum is not None and not rules.marked:
        return "no_marks"
    # OpenRouter chooses a host for each request; others have dropped the cache before its usual end.
    return "switched_host" if selected.provider == "openrouter" else "expired"


def cache_loss(prefix_tokens: int, usage: Usage, price: Price | None) -> CacheLoss:
    """What reading `prefix_tokens` of the prompt from the cache would have saved.

    `usage` is the row's own, `price` its model's. What was written instead is compared at the rate of a write.
    """
    missed = max(0, min(prefix_tokens, usage.prompt_tokens) - usage.cached_tokens)
    if price is None:
        return CacheLoss(missed, None)
    size = usage.prompt_tokens
    read = (price.cache_read or price.input).at(size)
    written = min(missed, usage.cache_write_tokens + usage.cache_write_1h_tokens)
    write = price.cache_write_1h if usage.cache_write_1h_tokens > usage.cache_write_tokens else price.cache_write
    paid = written * (write or price.input).at(size) + (missed - written) * price.input.at(size)
    return CacheLoss(missed, max(Decimal(0), paid - missed * read) * usage.rate_factor / MILLION)


def _was_marked(prefix: Prefix, key: ModelKey) -> bool:
    turn = prefix.turn
    return turn is not None and (turn.marked_by_client or key in turn.marked_models)


def _same_model(one: ModelKey, other: ModelKey) -> bool:
    """Whether two providers serve one model, by the last part of its id."""
    return one.name.rsplit("/", 1)[-1] == other.name.rsplit("/", 1)[-1]
