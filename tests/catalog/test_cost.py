"""What usage costs at given rates."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.catalog import Price, Rate, cost, nano_dollars, worst_case
from gateway.completion import Usage


def flat(figure: str) -> Rate:
    return Rate(Decimal(figure))


PRICE = Price(
    input=flat("1"),
    output=flat("10"),
    cache_read=flat("0.1"),
    cache_write=flat("1.25"),
    cache_write_1h=flat("2"),
    input_audio=flat("3"),
    cache_read_audio=flat("0.3"),
    output_reasoning=flat("20"),
)
BARE = Price(input=flat("1"), output=flat("10"))
TIERED = Price(Rate(Decimal(1), ((100, Decimal(2)), (200, Decimal(4)))), Rate(Decimal(10), ((200, Decimal(20)),)))


@pytest.mark.parametrize(
    ("usage", "millionths"),
    [
        pytest.param(Usage(prompt_tokens=100, completion_tokens=10), "200", id="plain"),
        pytest.param(Usage(prompt_tokens=100, cached_tokens=40), "64", id="cache-read"),
        pytest.param(Usage(prompt_tokens=100, cache_write_tokens=40), "110", id="cache-write"),
        pytest.param(Usage(prompt_tokens=100, cache_write_1h_tokens=40), "140", id="cache-write-1h"),
        pytest.param(Usage(prompt_tokens=100, prompt_audio_tokens=40), "180", id="audio"),
        pytest.param(
            Usage(prompt_tokens=100, prompt_audio_tokens=40, cached_tokens=30, cached_audio_tokens=20),
            "117",
            id="cached-audio",
        ),
        pytest.param(Usage(completion_tokens=10, reasoning_tokens=4), "140", id="reasoning"),
        pytest.param(Usage(completion_tokens=10, reasoning_tokens=99), "200", id="more-reasoning-than-output"),
        pytest.param(Usage(prompt_tokens=10, cached_tokens=20), "2", id="more-cached-than-prompt"),
    ],
)
def test_each_token_is_charged_once(usage: Usage, millionths: str) -> None:
    """Every token is charged once, at the rate of the most special kind it belongs to."""
    assert cost(usage, PRICE) == Decimal(millionths) / 1_000_000


def test_kinds_without_a_rate() -> None:
    """A kind without a rate of its own is charged as what it is part of."""
    usage = Usage(
        prompt_tokens=100,
        completion_tokens=10,
        cached_tokens=20,
        cache_write_tokens=10,
        cache_write_1h_tokens=10,
        prompt_audio_tokens=30,
        cached_audio_tokens=10,
        reasoning_tokens=5,
    )
    assert cost(usage, BARE) == Decimal("0.0002")
    only_reads = Price(flat("1"), flat("10"), cache_read=flat("0.1"), cache_write=flat("2"))
    assert cost(Usage(prompt_tokens=10, cached_tokens=10, cached_audio_tokens=10), only_reads) == Decimal("0.000001")
    assert cost(Usage(prompt_tokens=10, cache_write_1h_tokens=10), only_reads) == Decimal("0.00002")


@pytest.mark.parametrize(("size", "millionths"), [(100, 200), (101, 302), (200, 500), (201, 1004)])
def test_prompt_above_a_tier_pays_its_rates_for_all_tokens(size: int, millionths: int) -> None:
    """A prompt above a tier's size pays that tier's rates for all of its tokens, output included."""
    assert cost(Usage(prompt_tokens=size, completion_tokens=10), TIERED) == Decimal(millionths) / 1_000_000


def test_reported_cost_wins() -> None:
    """The provider's own figure is the cost, even when it is zero; without it and without a price the cost is unknown."""
    assert cost(Usage(prompt_tokens=5, reported_cost=Decimal("0")), PRICE) == Decimal(0)
    assert cost(Usage(prompt_tokens=5, reported_cost=Decimal("0.5")), None) == Decimal("0.5")
    assert cost(Usage(prompt_tokens=5), None) is None


def test_worst_case_cost_takes_the_dearest_reading() -> None:
    """A hold covers the dearest way in which the prompt can be read and the output written."""
    assert worst_case(100, 10, PRICE) == Decimal("0.0005")
    assert worst_case(201, 10, TIERED) == Decimal("0.001004")
    assert worst_case(0, 0, BARE) == Decimal(0)


@pytest.mark.parametrize(
    ("amount", "nano"), [("0.000000001", 1), ("0.0000000005", 0), ("0.0000000015", 2), ("-0.25", -250_000_000)]
)
def test_costs_are_whole_nano_dollars_halves_to_even(amount: str, nano: int) -> None:
    """Money is stored in whole nano-dollars, halves to even."""
    assert nano_dollars(Decimal(amount)) == nano


MEDIA = Price(
    input=flat("1"), output=flat("10"), output_image=flat("30"), output_audio=flat("40"), output_video=flat("50")
)


@pytest.mark.parametrize(
    ("usage", "millionths"),
    [
        pytest.param(Usage(completion_tokens=10, completion_image_tokens=10), "300", id="image"),
        pytest.param(Usage(completion_tokens=10, completion_image_tokens=4), "180", id="image-and-text"),
        pytest.param(Usage(completion_tokens=10, completion_audio_tokens=10), "400", id="audio"),
        pytest.param(Usage(completion_tokens=10, completion_video_tokens=10), "500", id="video"),
        pytest.param(Usage(completion_tokens=10, completion_image_tokens=99), "300", id="more-image-than-output"),
        pytest.param(Usage(10, 10, reasoning_tokens=4, completion_image_tokens=8), "270", id="prompt-and-reasoning"),
    ],
)
def test_output_that_is_not_text(usage: Usage, millionths: str) -> None:
    """Pictures, sound and video are charged at their own rates, each token once."""
    assert cost(usage, MEDIA) == Decimal(millionths) / 1_000_000


@pytest.mark.parametrize(
    "usage",
    [
        Usage(completion_tokens=10, completion_image_tokens=1),
        Usage(completion_tokens=10, completion_audio_tokens=1),
        Usage(completion_tokens=10, completion_video_tokens=1),
    ],
)
def test_output_without_a_rate(usage: Usage) -> None:
    """Output that is not text and has no rate costs an unknown amount: it is never charged as text."""
    assert cost(usage, PRICE) is None
    assert cost(usage._replace(reported_cost=Decimal(1)), PRICE) == 1


def test_worst_case_of_a_model_that_draws() -> None:
    """What is held for a request covers the dearest kind of output."""
    assert worst_case(0, 1_000_000, MEDIA) == 50
