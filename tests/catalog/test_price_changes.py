"""Two price snapshots, compared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.catalog import Model, PriceTable
from gateway.catalog.price_changes import PriceChange, is_short, new_models, price_changes, with_kept

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def rows(**prices: float) -> dict[str, list[Mapping[str, Any]]]:
    return {"gemini": [{"id": name, "prices": [{"input": price, "output": 2}]} for name, price in prices.items()]}


def table(**prices: float) -> PriceTable:
    return PriceTable(rows(**prices), version="2026-11-22")


def test_changed_prices_of_the_catalogue() -> None:
    """A model whose list price is another one is named with both; one without a price on either side is not."""
    models = [Model("gemini", name, "simple", 1, 2) for name in ("a", "b", "c")]
    assert price_changes(table(a=1, b=1), table(a=1, b=3, c=1), models, at=NOW) == [
        PriceChange("gemini/b", (Decimal(1), Decimal(2)), (Decimal(3), Decimal(2)))
    ]


def test_new_models() -> None:
    """Models that have a price for the first time."""
    assert new_models(table(a=1), rows(a=2, b=1), at=NOW) == [("gemini", "b")]


def test_prices_of_models_that_are_gone_stay() -> None:
    """Old rows follow the new ones, so that past requests can be priced again."""
    merged, kept = with_kept(rows(b=5), table(a=1, b=2))
    assert ([row["id"] for row in merged["gemini"]], kept) == (["b", "a"], 1)
    assert merged["gemini"][0]["prices"][0]["input"] == 5


@pytest.mark.parametrize(
    ("before", "after", "suspect"),
    [(1, 2, False), (1, 10, False), (1, 11, True), (11, 1, True), (0, 1, True), (1, 0, True), (0, 0, False)],
)
def test_suspect_changes(before: int, after: int, suspect: bool) -> None:
    """A price that becomes free, was free, or changes by more than a factor of ten may be a mistake."""
    change = PriceChange("m", (Decimal(before), Decimal(2)), (Decimal(after), Decimal(2)))
    assert change.is_suspect is suspect


def test_a_short_list() -> None:
    """A list with less than four fifths of the models of a vendor is cut off or old."""
    old = table(a=1, b=1, c=1, d=1, e=1)
    assert (is_short(rows(a=1, b=1, c=1, d=1), old), is_short(rows(a=1, b=1, c=1), old)) == (False, True)
