"""Why a cached prefix was not read, and what that cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.catalog import ModelKey
from gateway.catalog.cost import Price, Rate
from gateway.completion import Usage
from gateway.savings.cache_miss import cache_loss, cache_miss
from gateway.savings.conversation_prefix import FIRST, Prefix, PrefixState, Turn
from gateway.savings.counterfactual import CacheRules

HAIKU, FLASH = ModelKey("claude", "haiku"), ModelKey("gemini", "flash")
ELSEWHERE = ModelKey("openrouter", "anthropic/haiku")
QWEN = ModelKey("openrouter", "qwen/qwen")
MARKED, UNMARKED, IMPLICIT = CacheRules(1_024, marked=True), CacheRules(1_024), CacheRules()
USAGE = Usage(prompt_tokens=6_000, completion_tokens=10)
PRICE = Price(
    input=Rate(Decimal(1)), output=Rate(Decimal(5)), cache_read=Rate(Decimal("0.1")), cache_write=Rate(Decimal("1.25"))
)


def last(key: ModelKey, state: PrefixState = "kept", *, tokens: int = 5_000, marked: bool = True) -> Prefix:
    return Prefix(state, Turn(key, tokens, 0.0, messages=1, digest=0, marked_by_client=marked))


@pytest.mark.parametrize(
    ("prefix", "selected", "rules", "before", "reason"),
    [
        (FIRST, HAIKU, MARKED, MARKED, None),
        (last(HAIKU, tokens=500), FLASH, IMPLICIT, MARKED, None),
        (last(HAIKU, "changed"), FLASH, IMPLICIT, MARKED, "prefix_changed"),
        (last(HAIKU, "expired"), FLASH, IMPLICIT, MARKED, "expired"),
        (last(HAIKU), FLASH, IMPLICIT, MARKED, "switched_model"),
        (last(HAIKU), ELSEWHERE, MARKED, MARKED, "switched_host"),
        (last(HAIKU, marked=False), FLASH, IMPLICIT, MARKED, "no_marks"),
        (last(HAIKU), HAIKU, UNMARKED, MARKED, "no_marks"),
        (last(FLASH), FLASH, IMPLICIT, IMPLICIT, "expired"),
        (last(QWEN), QWEN, IMPLICIT, IMPLICIT, "switched_host"),
    ],
)
def test_the_first_cause_that_suffices(
    prefix: Prefix, selected: ModelKey, rules: CacheRules, before: CacheRules, reason: str | None
) -> None:
    """A change of model is the cause only where the last turn's model would have read the prefix."""
    assert cache_miss(USAGE, selected, prefix, rules=rules, rules_before=before) == reason


def test_a_prefix_that_was_read_is_no_miss() -> None:
    usage = USAGE._replace(cached_tokens=4_096)
    assert cache_miss(usage, HAIKU, last(HAIKU), rules=MARKED, rules_before=MARKED) is None


def test_the_price_of_a_miss() -> None:
    """What was paid for the prefix above the price of reading it, at the rate of a write where it was written again."""
    assert cache_loss(5_000, USAGE, PRICE) == (5_000, Decimal("0.0045"))
    assert cache_loss(5_000, USAGE._replace(cache_write_tokens=6_000), PRICE) == (5_000, Decimal("0.00575"))
    assert cache_loss(5_000, USAGE._replace(cached_tokens=5_500), PRICE) == (0, Decimal(0))
    assert cache_loss(5_000, USAGE._replace(cache_write_1h_tokens=6_000), PRICE) == (5_000, Decimal("0.0045"))


def test_a_miss_is_priced_at_the_rates_of_its_service_tier() -> None:
    """Half rates lose half as much."""
    assert cache_loss(5_000, USAGE._replace(rate_factor=Decimal("0.5")), PRICE) == (5_000, Decimal("0.00225"))


def test_a_miss_without_a_price_has_tokens_only() -> None:
    """The tokens that were not read are known, what they cost is not; more than the prompt cannot be missed."""
    assert cache_loss(5_000, USAGE._replace(cached_tokens=1_000), None) == (4_000, None)
    assert cache_loss(50_000, USAGE, None) == (6_000, None)
