"""`gateway report`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.records import RequestRecord
from gateway.store import SettleRequest
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import Invoke

ROW = RequestRecord(
    request_id="r1",
    timestamp=datetime.now(UTC).isoformat(timespec="milliseconds"),
    strategy_used="hybrid",
    selected_provider="gemini",
    selected_model="flash",
    baseline_provider="claude",
    baseline_model="haiku",
    confidence="high",
    pattern_detected="code",
    status="ok",
    baseline_cost=Decimal("0.004"),
    actual_cost=Decimal("0.001"),
    duration=0.5,
)


def filled(db: Path) -> None:
    with closing(SqliteStore(db)) as store:
        store.submit(SettleRequest(ROW)).result()


def test_report_names_a_missing_ledger_and_makes_none(invoke: Invoke, db: Path) -> None:
    """Where there is no file none is made; the path that was looked at is named."""
    result = invoke("report")
    assert result.exit_code == 1
    assert str(db) in result.output
    assert not db.exists()


def test_report_of_an_empty_ledger_has_unknown_averages(invoke: Invoke, db: Path) -> None:
    """A ledger without rows adds up to nothing, and averages of nothing are unknown."""
    SqliteStore(db).close()
    lines = invoke("report").output.splitlines()
    figures = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[1:]}
    assert figures["total_requests"] == "0"
    assert figures["total_cost"] == "$0.000000"
    assert figures["saved_share"] == "unknown"


def test_report_writes_each_figure_in_its_unit(invoke: Invoke, db: Path) -> None:
    """Each figure is written in its unit: dollars, per cent, seconds, counts."""
    filled(db)
    output = " ".join(invoke("report", "--days", "1.5").output.split())
    assert f"Last 1.5 days of {db}" in output
    for figure in (
        "total_requests 1 ",
        "total_cost $0.001000",
        "total_savings $0.003000",
        "saved_share 75.0% of the baseline",
        "avg_duration 0.50 s",
        "gemini/flash 1 $0.001000",
        "code flash 1 avg saved $0.003000",
    ):
        assert figure in output


def test_report_savings_are_sum_over_sum(invoke: Invoke, db: Path) -> None:
    """What is saved is the sum of savings over the sum of baselines, whatever the mean of the rows' percentages is."""
    loser = ROW._replace(request_id="r2", baseline_cost=Decimal("0.000001"), actual_cost=Decimal("0.00005"))
    unknown = ROW._replace(request_id="r3", baseline_cost=None, actual_cost=Decimal("0.5"))
    with closing(SqliteStore(db)) as store:
        for row in (ROW, loser, unknown):
            store.submit(SettleRequest(row)).result()
    summary = orjson.loads(invoke("report", "--json").output)
    assert summary["saved_share"] == pytest.approx((0.003 - 0.000049) / 0.004001)
    output = invoke("report").output
    assert "73.8% of the baseline" in output
    assert "avg_savings_pct" not in output


def test_report_json_has_the_summary_with_patterns(invoke: Invoke, db: Path) -> None:
    """--json gives the whole summary, as the summary route does, with the patterns."""
    filled(db)
    summary = orjson.loads(invoke("report", "--json", "--db", str(db), GATEWAY_DB="elsewhere.db").output)
    assert summary["total_requests"] == 1
    assert summary["patterns"][0]["pattern"] == "code"


def test_report_says_what_to_do_about_a_file_that_is_no_ledger(invoke: Invoke, db: Path) -> None:
    """A file that is no database ends with the sentence that says what to do."""
    db.write_text("this is text, and long enough not to be taken for an empty database" * 20)
    result = invoke("report")
    assert result.exit_code == 1
    assert "not an SQLite database" in result.output


def test_report_shadow_shows_what_auto_would_have_cost(invoke: Invoke, db: Path) -> None:
    """--shadow tells what `auto` would have cost where it only looked on, also as JSON."""
    looked_on: dict[str, Any] = {"shadow_provider": "gemini", "shadow_model": "lite", "shadow_cost": Decimal("0.00025")}
    with closing(SqliteStore(db)) as store:
        store.submit(SettleRequest(ROW)).result()
        store.submit(SettleRequest(ROW._replace(request_id="r2", **looked_on))).result()
    output = " ".join(invoke("report", "--shadow").output.split())
    for figure in (
        "shadow_requests 1 ",
        "total_would_save $0.000750",
        "would_save_pct 75.0 %",
        "gemini/lite 1 would save",
    ):
        assert figure in output
    assert orjson.loads(invoke("report", "--shadow", "--json").output)["total_shadow_cost"] == 0.00025
