"""The script that makes the price snapshot."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from gateway.catalog import PriceTable
from gateway.catalog.packaged import packaged_file

SCRIPT = Path(__file__).parent.parent / "scripts" / "prices"
DAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    module = ModuleType("prices_script")
    module.__file__ = str(SCRIPT)
    SourceFileLoader("prices_script", str(SCRIPT)).exec_module(module)
    return module


def test_snapshot_is_up_to_date(script: ModuleType) -> None:
    """The committed snapshot is what the locked package gives, but for the day it was made."""
    committed = packaged_file("prices.json").read_text()
    assert committed == script.snapshot(PriceTable.loads(committed.encode()).dated)


def test_snapshot_reads_well_in_a_diff(script: ModuleType) -> None:
    """One model stands in one line, and the same package gives the same text."""
    text = script.snapshot(DAY)
    assert text == script.snapshot(DAY)
    assert sum(line.startswith('{"id":') for line in text.splitlines()) == text.count('"id":') > 1000


def test_a_model_is_written_as_in_the_public_list(script: ModuleType) -> None:
    """Prices, tiers, conditions and clauses of the package have the form in which they are published."""
    model = ModelInfo(
        id="m",
        match=ClauseOr([ClauseAnd([ClauseContains("A"), ClauseRegex(r"^a\D$")]), ClauseEquals("B")]),
        prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=TieredPrices(Decimal(1), [Tier(100, Decimal("2.5"))]))),
            ConditionalPrice(StartDateConstraint(date(2026, 2, 1)), prices=ModelPrice(input_mtok=Decimal(3))),
            ConditionalPrice(
                TimeOfDateConstraint(time(16, 30), time(0, 30)), prices=ModelPrice(output_mtok=Decimal(1))
            ),
        ],
    )
    assert script.raw(model) == {
        "id": "m",
        "match": {"or": [{"and": [{"contains": "A"}, {"regex": r"^a\D$"}]}, {"equals": "B"}]},
        "prices": [
            {"prices": {"input_mtok": {"base": 1, "tiers": [{"start": 100, "price": Decimal("2.5")}]}}},
            {"constraint": {"start_date": "2026-02-01"}, "prices": {"input_mtok": 3}},
            {"constraint": {"start_time": "16:30:00", "end_time": "00:30:00"}, "prices": {"output_mtok": 1}},
        ],
    }


def test_prices_command_writes_or_checks_a_snapshot(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes the snapshot of a day; `--check` writes nothing and tells whether the prices are still the same."""
    file = tmp_path / "prices.json"
    assert script.main(["--date", "2026-01-02"], file=file) == 0
    assert PriceTable.loads(file.read_bytes()).dated == date(2026, 1, 2)
    assert script.main(["--check"], file=file) == 0
    file.write_text(changed := file.read_text().replace('"output":', '"outputs":', 1))
    assert script.main(["--check"], file=file) == 1
    assert file.read_text() == changed
    assert capsys.readouterr().out == "prices are up to date\nprices have changed: run scripts/prices\n"
