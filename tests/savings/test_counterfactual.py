"""The usage and the cost of the model that did not answer."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.catalog import ModelKey
from gateway.catalog.cost import Price, Rate
from gateway.completion import Usage
from gateway.savings.conversation_prefix import UNKNOWN, Prefix, PrefixState, Turn
from gateway.savings.counterfactual import (
    CacheRules,
    CostRange,
    Lengths,
    baseline_usage,
    price_baseline,
    usage_of_baseline,
)
from gateway.savings.length_ratio import Ratio

FLASH, SONNET = ModelKey("gemini", "flash"), ModelKey("claude", "sonnet")
USAGE = Usage(prompt_tokens=10_000, completion_tokens=100)
MARKED = CacheRules(1_024, marked=True)
PRICE = Price(
    input=Rate(Decimal(2)),
    output=Rate(Decimal(10)),
    cache_read=Rate(Decimal("0.2")),
    cache_write=Rate(Decimal("2.5")),
    cache_write_1h=Rate(Decimal(4)),
)


def prefix(state: PrefixState = "kept", *, tokens: int = 8_000, marked: bool = True) -> Prefix:
    return Prefix(
        state, Turn(FLASH, tokens, 0.0, messages=1, digest=0, marked_models=frozenset([SONNET] if marked else []))
    )


def test_a_warm_baseline_reads_the_last_turn() -> None:
    """Claude would have read the last turn's prompt and written the rest, though another model answered."""
    stored = baseline_usage(USAGE, SONNET, rules=MARKED, prefix=prefix())
    assert stored == {
        "prompt_tokens": 10_000,
        "completion_tokens": 100,
        "cached_tokens": 8_000,
        "cache_write_tokens": 2_000,
        "prefix_tokens": 8_000,
        "cache": "warm",
    }
    assert price_baseline(stored, PRICE).middle == Decimal("0.0076")  # 8,000 read, 2,000 written, 100 answered


@pytest.mark.parametrize("state", ["first", "expired", "changed"])
def test_a_cold_baseline_writes_all(state: PrefixState) -> None:
    stored = baseline_usage(USAGE, SONNET, rules=MARKED, prefix=prefix(state))
    assert (stored["cache_write_tokens"], stored["cache"]) == (10_000, "cold")
    assert "cached_tokens" not in stored


def test_an_unknown_conversation_is_cold_and_says_so() -> None:
    stored = baseline_usage(USAGE, SONNET, rules=MARKED, prefix=UNKNOWN)
    assert (stored["cache_write_tokens"], stored["cache"]) == (10_000, "unknown")


def test_a_turn_without_breakpoints_left_nothing_to_read() -> None:
    """Claude caches only what was marked; a model with implicit caching read it without."""
    assert baseline_usage(USAGE, SONNET, rules=MARKED, prefix=prefix(marked=False))["cache"] == "cold"
    stored = baseline_usage(USAGE, FLASH, prefix=prefix(marked=False))
    assert (stored["cached_tokens"], stored.get("cache_write_tokens")) == (8_000, None)


@pytest.mark.parametrize(
    ("rules", "prompt"), [(CacheRules(1_024, marked=False), 10_000), (MARKED, 1_023), (CacheRules(), 1_023)]
)
def test_what_cannot_be_cached_is_not(rules: CacheRules, prompt: int) -> None:
    """Without breakpoints Claude caches nothing, and no model caches a short prompt."""
    stored = baseline_usage(USAGE._replace(prompt_tokens=prompt), SONNET, rules=rules, prefix=prefix())
    assert stored["cache"] == "none"
    assert not {"cached_tokens", "cache_write_tokens"} & stored.keys()


def test_what_the_routed_request_read_the_baseline_would_have_read() -> None:
    """A prefix that another conversation shares was sent before: the routed model's cache proves it."""
    stored = baseline_usage(USAGE._replace(cached_tokens=3_000), SONNET, rules=MARKED, prefix=prefix("first"))
    assert (stored["cached_tokens"], stored["cache_write_tokens"], stored["cache"]) == (3_000, 7_000, "warm")


def test_only_what_the_client_marked_is_written() -> None:
    """The routed Claude's own reads and writes say how much of the prompt was before the last breakpoint; the lifetime sets the rate."""
    usage = USAGE._replace(cached_tokens=1_000, cache_write_1h_tokens=5_000)
    stored = baseline_usage(
        usage, SONNET, rules=CacheRules(1_024, marked=True, lifetime=3_600.0), prefix=prefix("first")
    )
    assert (stored["cached_tokens"], stored["cache_write_1h_tokens"]) == (1_000, 5_000)


def test_tokens_are_scaled_by_the_ratios() -> None:
    """Prompt and completion have their own ratios; pictures are as large for any model."""
    usage = USAGE._replace(completion_tokens=1_100, completion_image_tokens=1_000, reasoning_tokens=50)
    lengths = Lengths(Ratio(1.0, 1.1, 1.2), Ratio(1.0, 2.0, 4.0))
    stored = baseline_usage(usage, FLASH, lengths=lengths)
    assert (stored["prompt_tokens_low"], stored["prompt_tokens"], stored["prompt_tokens_high"]) == (
        10_000,
        11_000,
        12_000,
    )
    assert (stored["completion_tokens_low"], stored["completion_tokens"], stored["completion_tokens_high"]) == (
        1_100,
        1_200,
        1_400,
    )
    assert usage_of_baseline(stored) == Usage(11_000, 1_200, completion_image_tokens=1_000, reasoning_tokens=100)


def test_tier_of_the_client_is_stored_with_the_usage() -> None:
    """What the client's service tier does to the baseline's rates is kept, so that the row can be priced again."""
    half = Decimal("0.5")
    stored = baseline_usage(USAGE, FLASH, rate_factor=half)
    price = Price(Rate(Decimal(1)), Rate(Decimal(2)))
    usual = price_baseline(baseline_usage(USAGE, FLASH), price).middle
    assert usage_of_baseline(stored).rate_factor == half
    assert price_baseline(stored, price).middle == (usual or 0) / 2


def test_members_of_another_type_count_as_nothing() -> None:
    """Members that are no counts, or no factor, are ignored."""
    stored = {"prompt_tokens": 7, "cached_tokens": 3, "cache": "warm", "reasoning_tokens": "many", "rate_factor": -1.0}
    assert usage_of_baseline(stored) == Usage(7, cached_tokens=3)


def test_no_answer_is_longer_than_its_limit() -> None:
    """The client's limit holds for the baseline too, unless the answer itself is longer."""
    lengths = Lengths(completion=Ratio(1.0, 2.0, 4.0), limit=150)
    stored = baseline_usage(USAGE, FLASH, lengths=lengths)
    assert (stored["completion_tokens"], stored["completion_tokens_high"]) == (150, 150)
    assert baseline_usage(USAGE, FLASH, lengths=lengths._replace(limit=50))["completion_tokens"] == 100


def test_the_interval_is_that_of_the_lengths() -> None:
    """The errors of prompt and completion are independent: 10 % of 0.02 USD and 100 % of 0.001."""
    stored = baseline_usage(USAGE, FLASH, lengths=Lengths(Ratio(0.9, 1.0, 1.1), Ratio(0.5, 1.0, 2.0)))
    low, middle, high = (float(end or 0) for end in price_baseline(stored, PRICE))
    assert middle == pytest.approx(0.021)
    assert high - middle == pytest.approx((0.002**2 + 0.001**2) ** 0.5)
    assert middle - low == pytest.approx((0.002**2 + 0.0005**2) ** 0.5)


def test_an_unknown_price_is_no_cost() -> None:
    """Neither a missing model nor a picture without a rate costs zero."""
    stored = baseline_usage(USAGE._replace(completion_image_tokens=50), FLASH)
    assert price_baseline(stored, None) == price_baseline(stored, PRICE) == (None, None, None)


def test_a_damaged_usage_counts_as_nothing() -> None:
    """What another tool wrote into the column is no reason to fail."""
    stored = {"prompt_tokens": "many", "completion_tokens": -3, "completion_tokens_high": 7}
    assert price_baseline(stored, PRICE) == CostRange(Decimal(0), Decimal(0), Decimal(0))
