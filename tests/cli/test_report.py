"""`gateway report`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.report import lines
from gateway.completion import Usage
from gateway.records import Feedback, RequestRecord
from gateway.store import InsertFeedback, SettleRequest
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
    baseline_cost_low=Decimal("0.002"),
    baseline_cost_high=Decimal("0.008"),
    evidence="modelled",
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


def test_report_of_an_empty_ledger_claims_nothing(invoke: Invoke, db: Path) -> None:
    """Without rows nothing is spent, nothing is claimed to be saved, and quality says what is missing."""
    SqliteStore(db).close()
    output = invoke("report").output
    assert "Spent      $0.000000" in output
    assert "Baseline   unknown" in output
    assert "Saved      unknown" in output
    assert "not enough data yet" in output


def test_report_begins_with_what_matters(invoke: Invoke, db: Path) -> None:
    """Spent, the baseline with its name and interval, and the saved share with its interval come first."""
    filled(db)
    lines = invoke("report", "--days", "1.5").output.splitlines()
    assert lines[0].startswith(f"{db}, ")
    assert lines[2:5] == [
        "  Spent      $0.001000",
        "  Baseline   $0.004000 with claude/haiku ($0.000000 to $0.012801)",
        "  Saved      $0.003000, 75.0 % of the baseline, estimated; not enough data yet for an interval, about 5 more requests",
    ]
    assert "Evidence of the baseline: 1 modelled" in lines
    assert lines[-1].startswith("Spent is what the providers reported")


def test_report_savings_are_sum_over_sum(invoke: Invoke, db: Path) -> None:
    """What is saved is the sum of savings over the sum of baselines; a row without a baseline is left out of both."""
    loser = ROW._replace(request_id="r2", baseline_cost=Decimal("0.000001"), actual_cost=Decimal("0.00005"))
    unknown = ROW._replace(request_id="r3", baseline_cost=None, actual_cost=Decimal("0.5"))
    with closing(SqliteStore(db)) as store:
        for row in (ROW, loser, unknown):
            store.submit(SettleRequest(row)).result()
    report = orjson.loads(invoke("report", "--json").output)
    assert report["saved_share"] == pytest.approx((0.003 - 0.000049) / 0.004001)
    assert report["spent_usd"] == pytest.approx(0.50105)


def test_report_json_is_the_report_of_the_route(invoke: Invoke, db: Path) -> None:
    """--json gives every member of the report, and --db wins over the environment."""
    filled(db)
    report = orjson.loads(invoke("report", "--json", "--db", str(db), GATEWAY_DB="elsewhere.db").output)
    assert (report["requests"], report["baselines"]) == (1, {"claude/haiku": 0.004})
    assert {"since", "until", "quality", "evidence", "method", "always", "by"} <= report.keys()


def test_report_breaks_down_and_cuts_long_tables(invoke: Invoke, db: Path) -> None:
    """A breakdown is a table of at most ten rows without --all, a list in Markdown, and all rows in CSV."""
    with closing(SqliteStore(db)) as store:
        for number in range(12):
            row = ROW._replace(request_id=f"r{number}", pattern_detected=f"p{number:02}", actual_cost=Decimal(number))
            store.submit(SettleRequest(row)).result()
    output = invoke("report", "--by", "pattern").output
    assert "p11" in output
    assert "p00" not in output
    assert "and 2 more (--all)" in output
    assert "p00" in invoke("report", "--by", "pattern", "--all").output
    assert "| p11 | 1 | 0 |" in invoke("report", "--by", "pattern", "--md").output
    csv = invoke("report", "--by", "pattern", "--csv").output.splitlines()
    assert csv[0].startswith("pattern,requests,errors,spent_usd")
    assert len(csv) == 13
    assert invoke("report", "--csv").output.strip() == ""


@pytest.mark.parametrize("arguments", [("--since", "soon"), ("--by", "colour"), ("--until", "7")], ids=" ".join)
def test_report_names_a_wrong_option(invoke: Invoke, db: Path, arguments: tuple[str, str]) -> None:
    """A wrong period or dimension is a wrong use: exit status 2 and what is allowed."""
    SqliteStore(db).close()
    result = invoke("report", *arguments)
    assert result.exit_code == 2
    assert arguments[1] in result.output


def test_report_says_what_exploration_and_holdback_cost(invoke: Invoke, db: Path) -> None:
    """Spending on unlikely draws, and what the holdback cost more than the routed choice, have a line."""
    held = ROW._replace(
        propensity=0.02, holdback=True, shadow_provider="gemini", shadow_model="x", shadow_cost=Decimal(0)
    )
    with closing(SqliteStore(db)) as store:
        store.submit(SettleRequest(held)).result()
    written = invoke("report").output.splitlines()
    assert "  On exploration                  $0.001000" in written
    assert "  On the holdback                 $0.001000 more than the routed choices would have cost" in written


def test_report_says_what_was_lost_to_routing(invoke: Invoke, db: Path) -> None:
    """What changes of the model cost in cached prompts has a line, every cause a row, and a session its tokens."""
    miss = ROW._replace(
        session_id="s1", cache_miss="switched_model", cache_missed_tokens=12_345, cache_loss=Decimal("0.0005")
    )
    with closing(SqliteStore(db)) as store:
        store.submit(SettleRequest(miss)).result()
    written = invoke("report", "--by", "session").output
    lost = "$0.000500 of cached prompts, by changes of a conversation's model, of $0.000500 missed in all"
    assert f"  Lost to our own routing         {lost}" in written
    assert "  switched_model  1         12345          $0.000500" in written
    assert "cache_missed_tokens" in written
    assert "cache_missed_tokens" not in invoke("report", "--by", "model").output


def test_report_names_the_best_single_model_beside_what_was_spent(invoke: Invoke, db: Path) -> None:
    """With enough ratings of a model, its cost and quality stand beside those of the answers as they were routed."""
    with closing(SqliteStore(db)) as store:
        for number in range(20):
            row = ROW._replace(
                request_id=f"r{number}",
                selected_model="gemini-3.8-flash",
                usage=Usage(prompt_tokens=1_000, completion_tokens=100),
            )
            store.submit(SettleRequest(row)).result()
            store.submit(InsertFeedback(Feedback(f"r{number}", 0.75, ROW.timestamp))).result()
    written = invoke("report").output
    assert "Best single model in hindsight  gemini/gemini-3.8-flash, $" in written
    assert "at a quality of 0.750 on the tasks that it got; as routed $0.020000 at 0.750" in written
    filled(db.with_name("other.db"))
    assert (
        "no model with a known price has 20 ratings" in invoke("report", "--db", str(db.with_name("other.db"))).output
    )


def test_report_shows_quality_with_its_interval(invoke: Invoke, db: Path) -> None:
    """With enough labels the quality has a figure, its difference to the baseline's and an interval."""
    made = {
        "enough": True, "routed": 0.9, "difference": -0.02, "low": -0.05, "high": 0.01, "labels": 900, "baseline": 0.92,
        "labels_missing": 0,
    }  # fmt: skip
    SqliteStore(db).close()
    report = orjson.loads(invoke("report", "--json").output)
    text = "\n".join(lines({**report, "quality": made}, path="x"))
    assert "0.900, -0.020 against the baseline (-0.050 to +0.010), 900 labels" in text


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


def test_report_says_that_no_request_has_what_it_is_broken_down_by(invoke: Invoke, db: Path) -> None:
    """A tag that nobody sent has a sentence, not a missing table."""
    filled(db)
    assert "By tag:team: no request in this period has one" in invoke("report", "--by", "tag:team").output.splitlines()


def test_report_counts_the_rows_that_a_table_in_markdown_leaves_out(invoke: Invoke, db: Path) -> None:
    """A table that is cut says so in every form."""
    with closing(SqliteStore(db)) as store:
        for number in range(12):
            store.submit(SettleRequest(ROW._replace(request_id=f"r{number}", session_id=f"s{number}"))).result()
    assert "and 2 more (--all)" in invoke("report", "--md", "--by", "session").output.splitlines()


def test_report_of_a_period_is_titled_to_the_minute(invoke: Invoke, db: Path) -> None:
    """The times of the title are UTC, to the minute."""
    filled(db)
    title = invoke("report", "--since", "2026-11-01", "--until", "2026-11-02T10:30:15+02:00").output.splitlines()[0]
    assert title.endswith(", 2026-11-01 00:00 to 2026-11-02 08:30")


def test_report_of_a_period_that_ends_before_it_begins_is_refused(invoke: Invoke, db: Path) -> None:
    """The error names both times, instead of an empty report."""
    filled(db)
    result = invoke("report", "--since", "2026-11-02", "--until", "2026-11-01")
    assert result.exit_code == 2
    assert "2026-11-01 00:00 is not after --since, 2026-11-02 00:00 (UTC)" in " ".join(result.output.split())
