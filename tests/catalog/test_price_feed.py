"""The public price list, read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.catalog import PriceTable
from gateway.catalog.price_feed import PriceFeed, number, row_of, snapshot_text

PRICES = {"input_mtok": 1, "output_mtok": Decimal("2.5"), "web_searches_kcount": 9}


def model(name: str = "m", **changes: Any) -> dict[str, Any]:
    return {"id": name, "match": {"equals": name}, "prices": PRICES, **changes}


def listed(*models: Any, vendor: str = "google") -> list[dict[str, Any]]:
    """A list with these models of one vendor, and a model of each other one."""
    vendors = {name: [model(f"{name}-1")] for name in ("anthropic", "google", "openrouter")} | {vendor: [*models]}
    return [{"id": name, "models": rows} for name, rows in vendors.items()]


def test_conditions_of_a_price() -> None:
    """A price keeps its day or its times of the day in UTC; a step that changes no kept price is left out."""
    row = row_of(
        model(
            prices=[
                {"prices": {"input_mtok": 1}},
                {"constraint": {"start_date": "2026-01-01"}, "prices": {"input_mtok": 1, "web_searches_kcount": 14}},
                {"constraint": {"start_date": "2026-02-01"}, "prices": {"input_mtok": Decimal("0.25")}},
                {"constraint": {"start_time": "18:30:00+02:00", "end_time": "00:30:00Z"}, "prices": {"input_mtok": 1}},
            ]
        )
    )
    assert row == {
        "id": "m",
        "prices": [
            {"input": 1},
            {"from": "2026-02-01", "input": 0.25},
            {"daily": ["16:30:00", "00:30:00"], "input": 1},
        ],
    }


def test_tiers_and_clauses() -> None:
    """Tiers keep their sizes; clauses keep their logic, in lower case but for regular expressions."""
    prices = {"input_mtok": {"base": 1, "tiers": [{"start": 100, "price": Decimal("2.5")}]}, "output_mtok": 3}
    match = {"or": [{"and": [{"contains": "A"}, {"regex": r"^a\D$"}]}, {"equals": "B"}]}
    assert row_of(model(match=match, prices=prices)) == {
        "id": "m",
        "match": {"or": [{"and": [{"contains": "a"}, {"regex": r"^a\D$"}]}, {"equals": "b"}]},
        "prices": [{"input": {"base": 1, "tiers": [[100, 2.5]]}, "output": 3}],
    }
    assert row_of(model(match={"or": [{"equals": "m"}, {"equals": "N"}]}))["match"] == {"equals": ["m", "n"]}


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "x"},
        model(prices=[]),
        model(prices={"input_mtok": -1}),
        model(prices={"input_mtok": 10_000_000}),
        model(prices={"input_mtok": True}),
        model(prices={"input_mtok": "1"}),
        model(prices={"input_mtok": 0.1}),
        model(prices={"audio_seconds_mtok": 1}),
        model(prices=[{"constraint": {"moon": "full"}, "prices": {"input_mtok": 1}}]),
        model(match={"sounds_like": "m"}),
        model(match={"regex": "^(a+)+$"}),
        model(match={"regex": "("}),
        model("m" * 201),
        "text",
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_model_that_is_not_understood_is_left_out(broken: Any) -> None:
    """A row with unknown units, conditions or clauses, absurd prices or a slow pattern is named, and the others are read."""
    feed = PriceFeed.of(listed(broken, model("good")))
    assert [row["id"] for row in feed.rows["gemini"]] == ["good"]
    assert len(feed.unread) == 1


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"<html>", "not JSON"),
        (b"{}", "no list"),
        (b"[1, {}]", "anthropic, google, openrouter"),
        (b"[" * 99_999, "not JSON"),
    ],
    ids=["html", "object", "other list", "deep"],
)
def test_what_is_no_price_list_is_an_error(raw: bytes, words: str) -> None:
    """Another document, or a list without the three vendors, is refused."""
    with pytest.raises(ValueError, match=words):
        PriceFeed.loads(raw)


def test_the_snapshot_prices_what_the_list_says() -> None:
    """The text of the snapshot is read back with exact prices; models that are marked as deprecated are known."""
    models = listed(model(deprecated=True, prices={"input_mtok": 0.15, "output_mtok": 0.6}))
    raw = json.dumps(models, default=float).encode()
    feed = PriceFeed.loads(raw)
    table = PriceTable.loads(snapshot_text(feed.rows, version="2026-11-29+x").encode())
    price = table.price("gemini", "m", datetime(2026, 11, 29, tzinfo=UTC))
    assert price is not None
    assert (price.input.base, price.output.base) == (Decimal("0.15"), Decimal("0.6"))
    assert (feed.deprecated, feed.unread) == (frozenset({"gemini/m"}), ())


def test_figures_are_exact() -> None:
    """A figure that a JSON number would change is not written."""
    with pytest.raises(ValueError, match="does not fit"):
        number(Decimal("0.12345678901234567890123"))
