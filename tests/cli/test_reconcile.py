"""`gateway reconcile`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import repeat
from pathlib import Path

import click
import orjson
import pytest

from gateway.cli.reconcile import at_most
from gateway.completion import Usage
from gateway.records import Attempt, RequestRecord
from gateway.store import SettleRequest
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import Invoke
from tests.savings.test_reprice import ROW

HEADER = "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,model_permaslug\n"
PLAIN = "timestamp,model,input_tokens,output_tokens,cost_usd,request_id\n"


def filled(db: Path, provider: str = "openrouter", model: str = "qwen/qwen3") -> None:
    """Three calls at 10, 11 and 12 o'clock of 0.01 USD each."""
    with closing(SqliteStore(db)) as store:
        for hour in (10, 11, 12):
            usage = Usage(100, 50, raw={"prompt_tokens": 100, "completion_tokens": 50})
            attempt = Attempt(1, provider, model, "settled", Decimal("0.01"), usage, upstream_id=f"gen-{hour}")
            record = RequestRecord(
                request_id=f"r{hour}",
                timestamp=datetime(2026, 11, 28, hour, tzinfo=UTC).isoformat(timespec="milliseconds"),
                strategy_used="pinned",
                selected_provider=provider,
                selected_model=model,
                baseline_provider=provider,
                baseline_model=model,
                status="ok",
                actual_cost=Decimal("0.01"),
                usage=usage,
                attempts=(attempt,),
            )
            store.submit(SettleRequest(record)).result()


def test_reconcile_says_what_each_side_has(invoke: Invoke, db: Path) -> None:
    """An OpenRouter export is compared request by request, with amounts and reasons; neither file nor ledger is changed."""
    filled(db)
    file = db.parent / "activity.csv"
    rows = ("gen-10,2026-11-28 10:00:01,0.01", "gen-11,2026-11-28 11:00:01,0.02", "gen-77,2026-11-28 13:30:00,0.05")
    file.write_text(HEADER + "".join(f"{row},100,50,qwen/qwen3\n" for row in rows))
    before = (db.read_bytes(), sorted(path.name for path in db.parent.iterdir()))
    output = " ".join(invoke("reconcile", str(file)).output.split())
    assert "OpenRouter activity, 2026-11-28 to 2026-11-28, by request" in output
    for line in (
        "the same in both 1 $0.010000 $0.010000 $0.000000",
        "different 1 $0.020000 $0.010000 +$0.010000",
        "only in the file 1 $0.050000 $0.000000 +$0.050000",
        "only in the ledger 1 $0.000000 $0.010000 -$0.010000",
        "in all 4 $0.080000 $0.030000 +$0.050000",
        "only in the file, 1: no such call in the ledger",
        "different, 1: the same tokens at another price, 2.000 times ours",
        "+$0.050000 only in the file, line 4",
        "-$0.010000 only in the ledger, r12",
    ):
        assert line in output
    result = orjson.loads(invoke("reconcile", str(file), "--json").output)
    assert (result["format"], result["provider"], result["by"]) == ("OpenRouter activity", "openrouter", "request")
    assert [row["request_ids"] for row in result["rows"]] == [[], ["r11"], ["r12"]]
    assert (db.read_bytes(), sorted(path.name for path in db.parent.iterdir())) == before


def test_reconcile_prices_an_export_of_tokens(invoke: Invoke, db: Path) -> None:
    """Anthropic's usage export has no costs: its tokens are priced by the gateway's prices."""
    filled(db, "claude", "claude-haiku-4-5")
    file = db.parent / "usage.csv"
    columns = "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_output_tokens"
    file.write_text(f"{columns}\n2026-11-28,claude-haiku-4-5-20251001,300,150\n")
    result = orjson.loads(invoke("reconcile", str(file), "--json").output)
    assert (result["by"], result["different"]["count"]) == ("day and model", 1)
    assert (result["provider_usd"], result["ledger_usd"]) == (pytest.approx(300e-6 + 150 * 5e-6), pytest.approx(0.03))


def test_reconcile_of_a_plain_file(invoke: Invoke, db: Path) -> None:
    """A plain file is compared with all providers, or with the one that is named; the gateway's ids match too."""
    filled(db, "gemini", "flash")
    file = db.parent / "invoice.csv"
    file.write_text(PLAIN + "".join(f"2026-11-28T{hour}:00:00Z,flash,100,50,0.01,r{hour}\n" for hour in (10, 11, 12)))
    for arguments in ((), ("--provider", "gemini")):
        output = invoke("reconcile", str(file), *arguments).output
        assert "the same in both" in output
        assert "The largest differences" not in output
        assert orjson.loads(invoke("reconcile", str(file), "--json", *arguments).output)["matched"]["count"] == 3
    assert (
        orjson.loads(invoke("reconcile", str(file), "--json", "--provider", "claude").output)["only_there"]["count"]
        == 3
    )
    result = invoke("reconcile", str(file), "--provider", "claud")
    assert (result.exit_code, "no call of 'claud'" in result.output) == (1, True)


def test_reconcile_reads_the_period_page_by_page(invoke: Invoke, db: Path) -> None:
    """Rows after the file's period are not read further."""
    filled(db)
    file = db.parent / "invoice.csv"
    file.write_text(PLAIN + "2026-11-28T10:00:00Z,qwen3,100,50,0.01,\n2026-11-28T09:00:00Z,qwen3,1,1,0.01,\n")
    result = orjson.loads(invoke("reconcile", str(file), "--json").output)
    assert [result[kind]["count"] for kind in ("matched", "only_there", "only_here")] == [1, 1, 0]
    file.write_text(PLAIN + "2026-11-27T10:00:00Z,qwen3,100,50,0.01,\n")
    assert orjson.loads(invoke("reconcile", str(file), "--json").output)["only_there"]["count"] == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"\xff\xfeP\x00D\x00F", "no UTF-8 text"),
        (b"a,b\n1,2\n", "line 1: no known export"),
        (PLAIN.encode() + b"2026-11-28,m,1,1,much,\n", "line 2: cost_usd is 'much'"),
    ],
)
def test_reconcile_says_what_is_wrong_with_a_file(invoke: Invoke, db: Path, content: bytes | None, said: str) -> None:
    """A file that is missing, no text or no export ends with its name and a sentence, status 1."""
    SqliteStore(db).close()
    file = db.parent / "export.csv"
    if content is not None:
        file.write_bytes(content)
    result = invoke("reconcile", str(file))
    assert (result.exit_code, said in result.output, str(file) in result.output) == (1, True, True)


def test_number_of_rows_in_memory_is_bounded() -> None:
    """A period with more rows than fit into the memory is refused, with what to do."""
    assert at_most(2, [ROW, ROW]) == [ROW, ROW]
    with pytest.raises(click.ClickException, match=r"more than 2 rows in that period\. Export a shorter one"):
        at_most(2, repeat(ROW))
