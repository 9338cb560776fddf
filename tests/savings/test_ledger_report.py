"""The report of a ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.catalog import Catalog, Model, Price, PriceTable, Rate
from gateway.catalog.packaged import load_prices
from gateway.errors import InvalidRequest
from gateway.savings import ReportQuery, ledger_report
from gateway.store import SettleRequest
from gateway.store.sqlite import SqliteStore
from tests.store.cases import ended

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CATALOG = Catalog(
    [
        Model(provider="gemini", name="gemini-3.8-flash", tier="simple", input_price=1, output_price=2),
        Model(provider="claude", name="unheard-of", tier="complex", input_price=1, output_price=2),
    ]
)


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> SqliteStore:
    return SqliteStore(tmp_path_factory.mktemp("ledger") / "gateway.db")


def report(store: SqliteStore, prices: PriceTable | None = None, **query: object) -> dict[str, object]:
    wanted = ReportQuery(**query)  # type: ignore[arg-type]  # any member
    try:
        return ledger_report(store, wanted, catalog=CATALOG, prices=prices or load_prices(), now=NOW)
    finally:
        store.close()


def test_tags_are_broken_down_by_value(store: SqliteStore) -> None:
    """Rows with the tag are added up by its value; tagged rows without it are `none`, untagged ones are left out."""
    for number, tags in enumerate(({"team": "a"}, {"team": "a", "x": "1"}, {"x": "1"}, {})):
        store.submit(SettleRequest(ended(f"r{number}", tags=tags))).result()
    rows = report(store, by="tag:team")["by"]
    assert [(row["tag:team"], row["requests"]) for row in rows] == [("a", 2), ("none", 1)]  # type: ignore[attr-defined]  # rows


def test_every_catalogue_model_is_priced_on_the_same_tokens(store: SqliteStore) -> None:
    """A model of unknown price has no figure; a sum of many prompts is not priced as one large prompt."""
    for number in range(3):
        store.submit(SettleRequest(ended(f"r{number}"))).result()
    rate = Rate(Decimal(1), ((25, Decimal(100)),))
    prices = PriceTable({}, version="2026-11-29", overrides={("gemini", "gemini-3.8-flash"): Price(rate, rate)})
    always = report(store, prices)["always"]
    assert always == [
        {"model": "gemini/gemini-3.8-flash", "usd": pytest.approx(3 * (10 + 20) / 1e6)},
        {"model": "claude/unheard-of", "usd": None},
    ]


@pytest.mark.parametrize("by", ["colour", "tag:", ""])
def test_an_unknown_dimension_is_refused(store: SqliteStore, by: str) -> None:
    """The error says what a report may be broken down by."""
    with pytest.raises(InvalidRequest, match="model, pattern, key"):
        report(store, by=by)


def test_days_are_those_of_one_key(store: SqliteStore) -> None:
    """A breakdown by day is limited to the key of the report, as its other figures are."""
    for number in range(3):
        store.submit(SettleRequest(ended(f"r{number}", key_id=f"k{number % 2}"))).result()
    assert [row["requests"] for row in report(store, by="day", key_id="k0")["by"]] == [2]  # type: ignore[attr-defined]  # rows
