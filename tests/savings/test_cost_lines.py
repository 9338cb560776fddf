"""The arithmetic of a cost, line by line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog import Price, Rate, cost
from gateway.completion import Usage
from gateway.savings.cost_lines import REPORTED, cost_lines, recorded_usage

TOKENS = st.integers(0, 5_000)
RATES = st.none() | st.builds(Rate, st.decimals(0, 100, places=4), st.just(()) | st.just(((2_000, Decimal("9.5")),)))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Usage as the providers' parsers make it: parts are within their wholes."""
    read, write, hour, audio, plain = (draw(TOKENS) for _ in range(5))
    images, speech, video, reasoning, text = (draw(TOKENS) for _ in range(5))
    return Usage(
        prompt_tokens=read + write + hour + audio + plain,
        completion_tokens=images + speech + video + reasoning + text,
        cached_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=hour,
        reasoning_tokens=reasoning,
        prompt_audio_tokens=audio,
        cached_audio_tokens=min(read, audio, draw(TOKENS)),
        completion_audio_tokens=speech,
        completion_image_tokens=images,
        completion_video_tokens=video,
    )


@st.composite
def prices(draw: st.DrawFn) -> Price:
    optional = {name: draw(RATES) for name in Price.__slots__ if name not in ("input", "output")}
    return Price(input=Rate(Decimal("1.5")), output=Rate(Decimal("7.25"), ((2_000, Decimal(11)),)), **optional)


@given(usages(), prices())
def test_lines_add_up_to_the_cost(usage: Usage, price: Price) -> None:
    """Each token is charged once; the sum is exactly the cost that the ledger has, and unknown where that is."""
    lines = cost_lines(usage, price)
    expected = cost(usage, price)
    assert (None if lines is None else sum(line.usd for line in lines)) == expected


def test_line_shows_tokens_rate_and_amount() -> None:
    """1,000 tokens at 2 USD per million are 0.002 USD."""
    lines = cost_lines(Usage(prompt_tokens=1000), Price(Rate(Decimal(2)), Rate(Decimal(8))))
    assert lines is not None
    (line,) = lines
    assert line.to_json() == {"kind": "input", "tokens": 1000, "usd_per_million": 2.0, "usd": 0.002}


def test_cost_that_the_provider_reported_is_one_line() -> None:
    """What a provider charged is not calculated again."""
    lines = cost_lines(Usage(prompt_tokens=3, completion_tokens=4, reported_cost=Decimal("0.5")), None)
    assert lines is not None
    (line,) = lines
    assert (line.kind, line.tokens, line.usd) == (REPORTED, 7, Decimal("0.5"))
    assert line.to_json()["usd_per_million"] is None


def test_unknown_price_has_no_lines() -> None:
    """Without a price nothing is guessed."""
    assert cost_lines(Usage(prompt_tokens=3), None) is None


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 3}, (8, 7, 3)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 2, "cachedContentTokenCount": 4}, (9, 2, 4)),
        ({"prompt_tokens": 6, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}, (6, 1, 2)),
        ({}, (10, 20, 0)),
        (None, (10, 20, 0)),
        ("text", (10, 20, 0)),
    ],
    ids=["Claude", "Gemini", "OpenAI", "empty", "none", "not an object"],
)
def test_usage_is_read_in_any_dialect(raw: Any, usage: tuple[int, int, int]) -> None:
    """The provider's own object is read; without a readable one the counts of the row are used."""
    found = recorded_usage(raw, prompt_tokens=10, completion_tokens=20)
    assert found is not None
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens) == usage


def test_cost_in_the_usage_is_the_reported_one() -> None:
    """OpenRouter's usage has what it charged."""
    usage = recorded_usage(
        {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25}, prompt_tokens=None, completion_tokens=None
    )
    assert usage is not None
    assert usage.reported_cost == Decimal("0.25")


def test_nothing_counted_is_no_usage() -> None:
    """A failed call has no usage."""
    assert recorded_usage(None, prompt_tokens=None, completion_tokens=None) is None


def test_service_tier_multiplies_the_rates() -> None:
    """The lines of a call in another tier show the rates that it paid, and their sum is its cost."""
    usage = Usage(prompt_tokens=1_000, completion_tokens=100, rate_factor=Decimal("0.5"))
    price = Price(Rate(Decimal(2)), Rate(Decimal(10)))
    lines = cost_lines(usage, price) or []
    assert [(line.rate, line.usd) for line in lines] == [
        (Decimal(1), Decimal("0.001")),
        (Decimal(5), Decimal("0.0005")),
    ]
    assert cost(usage, price) == sum(line.usd for line in lines)
