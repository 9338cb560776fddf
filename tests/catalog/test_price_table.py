"""Which price is in force, and that it is the one `genai-prices` finds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import genai_prices
import orjson
import pytest
from genai_prices.types import Usage as TheirUsage

from gateway.catalog import Price, PriceTable, Rate, cost
from gateway.catalog.packaged import load_prices
from gateway.completion import Usage

TODAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
PRICES = load_prices()
THEIR_NAMES = {"gemini": "google", "claude": "anthropic", "openrouter": "openrouter"}


def table(*rows: dict[str, Any]) -> PriceTable:
    return PriceTable.loads(orjson.dumps({"version": "2026-11-22+test", "providers": {"acme": rows}}))


def input_price(prices: PriceTable, model: str, at: datetime = TODAY) -> Decimal | None:
    price = prices.price("acme", model, at)
    return price.input.base if price else None


@pytest.mark.parametrize(
    "at",
    [
        datetime(2025, 10, 1, tzinfo=UTC),
        TODAY,
        datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ],
    ids=lambda at: at.date().isoformat(),
)
@pytest.mark.parametrize(
    "name",
    [
        "claude/claude-haiku-5-5", "claude/claude-haiku-5-5-20261007", "claude/claude-haiku-4-5-20251001",
        "claude/claude-sonnet-5-5", "claude/claude-sonnet-4-5", "claude/claude-sonnet-4-6", "claude/claude-opus-4-6",
        "claude/claude-opus-5-5", "claude/claude-fable-5-2", "claude/claude-3-haiku-20240307",
        "gemini/gemini-3.8-flash", "gemini/gemini-3.6-flash", "gemini/gemini-flash-latest", "gemini/gemini-2.5-flash",
        "gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash-lite-preview-09-2025", "gemini/gemini-4-argon",
        "gemini/gemini-4-argon-001", "gemini/gemini-3.1-pro-preview", "gemini/gemini-3.5-flash-lite",
        "gemini/gemma-4-31b-it", "gemini/gemini-embedding-001",
        "openrouter/deepseek/deepseek-v4.1-flash", "openrouter/deepseek/deepseek-chat-v3-0324:free",
        "openrouter/openai/gpt-6.1-sol", "openrouter/openai/gpt-6.1-sol-20260930", "openrouter/qwen/qwen3.7-max",
        "openrouter/perplexity/sonar-deep-research", "openrouter/z-ai/glm-5.3", "openrouter/anthropic/claude-opus-4.6",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "usage",
    [
        Usage(prompt_tokens=1000, completion_tokens=500, reasoning_tokens=200),
        Usage(prompt_tokens=100_000, completion_tokens=7),
        Usage(prompt_tokens=100_001, completion_tokens=7, cached_tokens=50_000),
        Usage(prompt_tokens=300_000, cached_tokens=7, cache_write_tokens=100_000, cache_write_1h_tokens=50_000),
    ],
    ids=["small", "at-the-tier", "over-the-tier", "cache-writes"],
)
def test_same_cost_as_genai_prices(name: str, at: datetime, usage: Usage) -> None:
    """For any model, day and usage the cost is what the package itself calculates."""
    provider, _, model = name.partition("/")
    ours = cost(usage, PRICES.price(provider, model, at))
    theirs = genai_prices.calc_price(
        TheirUsage(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            output_reasoning_tokens=usage.reasoning_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens + usage.cache_write_1h_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            cache_audio_read_tokens=0,
            input_audio_tokens=0,
        ),
        model,
        provider_id=THEIR_NAMES[provider],
        genai_request_timestamp=at,
    )
    assert ours == theirs.total_price


def test_audio_costs_what_genai_prices_says() -> None:
    """Audio and cached audio have rates of their own where the provider has them."""
    usage = Usage(prompt_tokens=100, prompt_audio_tokens=60, cached_tokens=30, cached_audio_tokens=20)
    theirs = genai_prices.calc_price(
        TheirUsage(input_tokens=100, input_audio_tokens=60, cache_read_tokens=30, cache_audio_read_tokens=20),
        "gemini-2.5-flash",
        provider_id="google",
        genai_request_timestamp=TODAY,
    )
    assert cost(usage, PRICES.price("gemini", "gemini-2.5-flash", TODAY)) == theirs.total_price


def test_price_of_the_moment() -> None:
    """The announced rise of a Gemini price takes effect at midnight UTC of its day, in every time zone."""
    before = PRICES.price(
        "gemini", "gemini-3.6-flash", datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    )
    after = PRICES.price("gemini", "gemini-3.6-flash", datetime(2026, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))))
    assert before is not None
    assert after is not None
    assert (before.input.base, after.input.base) == (Decimal("0.75"), Decimal("1.5"))


def test_price_may_depend_on_the_time_of_day() -> None:
    """A price can be in force between two times of the day, also across midnight; else the first price is."""
    off_peak = {"daily": ["16:30:00", "00:30:00"], "input": 1}
    lunch = {"daily": ["11:00:00", "12:00:00"], "input": 2}
    prices = table({"id": "m", "prices": [{"input": 4}, off_peak, lunch]}, {"id": "only", "prices": [off_peak, lunch]})
    day = datetime(2026, 11, 22, tzinfo=UTC)
    times = [(11, 0, 2), (12, 0, 4), (16, 29, 4), (16, 30, 1), (23, 59, 1), (0, 29, 1), (0, 30, 4)]
    assert [input_price(prices, "m", day.replace(hour=h, minute=m)) for h, m, _ in times] == [p for _, _, p in times]
    assert input_price(prices, "only", day.replace(hour=14)) == 1
    assert input_price(prices, "m", day.replace(hour=11, tzinfo=None)) == 2


@pytest.mark.parametrize(
    ("match", "name", "found"),
    [
        ({"equals": "a-1"}, "A-1", True),
        ({"equals": ["a-1", "a-2"]}, "a-2", True),
        ({"equals": ["a-1", "a-2"]}, "a-3", False),
        ({"starts_with": "a"}, "a-1", True),
        ({"ends_with": "-1"}, "a-1", True),
        ({"contains": "-"}, "a-1", True),
        ({"regex": r"^a-\d$"}, "a-12", False),
        ({"or": [{"equals": "b"}, {"contains": "1"}]}, "a-1", True),
        ({"and": [{"starts_with": "a"}, {"ends_with": "2"}]}, "a-1", False),
    ],
)
def test_price_row_matches_names_by_its_clause(match: dict[str, Any], name: str, found: bool) -> None:
    """A row is for the names that its clause matches, in lower case."""
    assert (input_price(table({"id": "x", "match": match, "prices": [{"input": 1}]}), name) == 1) is found


def test_unknown_match_operator_matches_nothing() -> None:
    """A snapshot with an operator that this version does not know is not guessed at."""
    with pytest.raises(ValueError, match="unknown match operator 'sounds_like'"):
        input_price(table({"id": "x", "match": {"sounds_like": "x"}, "prices": [{}]}), "x")


def test_price_is_found_by_name_with_dashed_date() -> None:
    """A name that is not found is looked up again with its date written with dashes."""
    prices = table({"id": "m-2026-09-10", "prices": [{"input": 1}]})
    assert input_price(prices, "m-20260910") == 1
    assert input_price(prices, "m-20261310") is None


def test_first_match_decides() -> None:
    """Of several rows that match, the first is taken."""
    assert input_price(table({"id": "m", "prices": [{"input": 1}]}, {"id": "m", "prices": [{"input": 2}]}), "m") == 1


def test_free_is_not_unknown() -> None:
    """A model with an empty price is free; one that is not in the snapshot has no price."""
    prices = table({"id": "free", "prices": [{}]})
    assert prices.price("acme", "free", TODAY) == Price(Rate(Decimal(0)), Rate(Decimal(0)))
    assert prices.price("acme", "none", TODAY) is None
    assert prices.price("nobody", "free", TODAY) is None


def test_names_are_forgotten() -> None:
    """However many names clients make up, the table answers, and remembers no more than it may."""
    prices = table({"id": "m", "prices": [{"input": 1}]})
    assert {input_price(prices, f"made-up-{number}") for number in range(5000)} == {None}
    assert [input_price(prices, "m"), input_price(prices, "m")] == [1, 1]


def test_own_prices_win() -> None:
    """A price that the configuration gives replaces the snapshot's; the others stay."""
    own = Price(Rate(Decimal(7)), Rate(Decimal(8)))
    prices = table({"id": "m", "prices": [{"input": 1}]}, {"id": "n", "prices": [{"input": 2}]})
    mine = prices.with_own({("acme", "m"): own})
    assert mine.price("acme", "m", TODAY) == own
    assert [input_price(mine, "n"), input_price(prices, "m")] == [2, 1]
    assert mine.version == prices.version


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"{}", b'{"version": "x", "providers": {}}', b'{"version": 1, "providers": {}}']
)
def test_broken_price_snapshot_is_refused(raw: bytes) -> None:
    """A file that is no snapshot is refused at once."""
    with pytest.raises(ValueError):  # noqa: PT011  # the sentence depends on what is wrong with it
        PriceTable.loads(raw)


def test_price_version_names_day_and_package() -> None:
    """The version opens with the day of the snapshot and names the package it was made from."""
    assert PRICES.version.startswith(f"{PRICES.dated.isoformat()}+genai-prices.")
    assert date(2026, 11, 1) < PRICES.dated


def test_newer_rows_keep_the_overrides() -> None:
    """The rows of another snapshot replace these, and own prices still win."""
    own = Price(Rate(Decimal(9)), Rate(Decimal(9)))
    old = PriceTable({}, version="2026-01-01", overrides={("gemini", "own"): own})
    newer = PriceTable({"gemini": [{"id": "m", "prices": [{"input": 1, "output": 2}]}]}, version="2026-02-01")
    merged = old.with_rows(newer)
    at = datetime(2026, 2, 1, tzinfo=UTC)
    assert (merged.version, merged.price("gemini", "own", at)) == ("2026-02-01", own)
    assert merged.price("gemini", "m", at) == newer.price("gemini", "m", at)
    assert merged.rows == newer.rows
