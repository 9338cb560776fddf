"""`gateway reprice`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.reprice import PAGE, so_far
from gateway.completion import Usage
from gateway.records import Attempt, RequestRecord
from gateway.savings.reprice import RepricingTotals
from gateway.store import InsertRequest, SettleRequest
from gateway.store.connection import DatabaseFile
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import Invoke

MODEL = "{id: house, provider: gemini, tier: simple, prices: {input: %s, output: %s}}"
RAW = {"promptTokenCount": 1000, "candidatesTokenCount": 1000}
NOW = datetime.now(UTC)


def record(number: int = 0, *, age: float = 0.0, **changes: Any) -> RequestRecord:
    """A row that was priced when the house model cost 1 and 1 USD per million tokens."""
    usage = Usage(1000, 1000, raw=RAW)
    row = RequestRecord(
        request_id=f"r{number}",
        timestamp=(NOW - timedelta(days=age)).isoformat(timespec="milliseconds"),
        strategy_used="hybrid",
        selected_provider="gemini",
        selected_model="house",
        baseline_provider="gemini",
        baseline_model="house",
        status="ok",
        evidence="exact",
        price_version="2026-01-01",
        usage=usage,
        actual_cost=Decimal("0.002"),
        baseline_cost=Decimal("0.002"),
        attempts=(Attempt(1, "gemini", "house", "settled", Decimal("0.002"), usage),),
    )
    return row._replace(**changes)


@pytest.fixture
def priced(db: Path) -> str:
    """A configuration in which the house model costs 2 and 2 USD per million tokens."""
    (db.parent / "models.yaml").write_text("models:\n  - " + MODEL % (2, 2))
    config = db.parent / "gateway.yaml"
    config.write_text("")
    return str(config)


def filled(db: Path, *records: RequestRecord) -> None:
    with closing(SqliteStore(db)) as store:
        for each in records:
            store.submit(SettleRequest(each)).result()


def costs(db: Path) -> dict[str, float]:
    with closing(SqliteStore(db)) as store:
        return {row["request_id"]: row["actual_cost"] for row in store.requests(limit=1000)}


def test_reprice_changes_rows_and_sums(invoke: Invoke, db: Path, priced: str) -> None:
    """Costs follow the price files; the summary route's sums follow the rows; a second run finds nothing to change."""
    filled(db, record(1), record(2))
    output = " ".join(invoke("reprice", GATEWAY_CONFIG=priced).output.split())
    assert "2 requests, 2 changed" in output
    assert "cost $0.004000 -> $0.008000" in output
    assert "gemini/house 2 $0.004000 -> $0.008000" in output
    assert costs(db) == {"r1": 0.004, "r2": 0.004}
    assert orjson.loads(invoke("report", "--json").output)["spent_usd"] == pytest.approx(0.008)
    assert "2 requests, 0 changed" in invoke("reprice", GATEWAY_CONFIG=priced).output


def test_reprice_dry_run_changes_nothing(invoke: Invoke, db: Path, priced: str) -> None:
    """--dry-run shows what would change; neither the file nor its folder is touched."""
    filled(db, record(1))
    before = (db.read_bytes(), sorted(path.name for path in db.parent.iterdir()))
    result = orjson.loads(invoke("reprice", "--dry-run", "--json", GATEWAY_CONFIG=priced).output)
    assert (result["dry_run"], result["changed"]) == (True, 1)
    assert result["spent_usd"] == {"before": 0.002, "after": 0.004}
    assert (db.read_bytes(), sorted(path.name for path in db.parent.iterdir())) == before
    assert "would change" in invoke("reprice", "--dry-run", GATEWAY_CONFIG=priced).output


def test_reprice_since_leaves_older_rows(invoke: Invoke, db: Path, priced: str) -> None:
    """--since limits it to newer requests."""
    filled(db, record(1, age=10), record(2, age=1))
    invoke("reprice", "--since", "7d", GATEWAY_CONFIG=priced)
    assert costs(db) == {"r1": 0.002, "r2": 0.004}


def test_reprice_says_what_stays_and_why(invoke: Invoke, db: Path, priced: str) -> None:
    """Rows that cannot be computed again are counted with the reason, and so are prices that are known now."""
    usage = Usage(1000, 1000, raw=RAW)
    unknown = Attempt(1, "gemini", "house", "settled", None, usage)
    foreign = Attempt(1, "elsewhere", "m", "settled", Decimal("0.001"), usage)
    filled(
        db,
        record(1, attempts=(foreign,)),
        record(2, attempts=(unknown,), usage=usage, actual_cost=None, baseline_cost=None, evidence="unknown"),
        record(3, attempts=()),
    )
    output = invoke("reprice", GATEWAY_CONFIG=priced).output
    assert "1 had no known price before" in output
    assert "1 kept as they were: the usage object cannot be read here" in output
    assert "1 kept as they were: no call reported usage" in output
    assert costs(db)["r2"] == 0.004


def test_interrupted_reprice_continues_where_it_ended(invoke: Invoke, db: Path, priced: str) -> None:
    """A process that dies between two transactions leaves whole rows; the next run changes the rest, each row once."""
    numbers = range(2 * PAGE + 10)
    with closing(SqliteStore(db)) as store:
        for number in numbers:
            store.submit(SettleRequest(record(number)))
        store.flush()
    # Something ends the third transaction half-way.
    with closing(DatabaseFile(db).open()) as connection:
        connection.execute(
            f"CREATE TRIGGER dies BEFORE INSERT ON cost_history WHEN NEW.request_id = 'r{2 * PAGE + 5}' "
            "BEGIN SELECT RAISE(ABORT, 'interrupted'); END"
        )
    assert invoke("reprice", GATEWAY_CONFIG=priced).exit_code != 0
    changed = [request_id for request_id, cost in costs(db).items() if cost == 0.004]
    assert len(changed) == 2 * PAGE
    with closing(DatabaseFile(db).open()) as connection:
        connection.execute("DROP TRIGGER dies")
    assert f"{len(numbers)} requests, 10 changed" in invoke("reprice", GATEWAY_CONFIG=priced).output
    assert set(costs(db).values()) == {0.004}
    summary = orjson.loads(invoke("report", "--json").output)
    assert (summary["requests"], summary["spent_usd"]) == (len(numbers), pytest.approx(0.004 * len(numbers)))
    with closing(DatabaseFile(db).open()) as reader:
        counts = reader.execute("SELECT count(*), count(DISTINCT request_id) FROM cost_history").fetchone()
    assert counts == (len(numbers), len(numbers))


def test_reprice_beside_a_running_gateway(invoke: Invoke, db: Path, priced: str) -> None:
    """A gateway that has the ledger open goes on writing, and its open rows are not touched."""
    filled(db, *(record(number) for number in range(5)))
    with closing(SqliteStore(db)) as gateway:
        gateway.submit(InsertRequest(record(7, status="open"))).result()
        assert "5 changed" in invoke("reprice", GATEWAY_CONFIG=priced).output
        gateway.submit(SettleRequest(record(7))).result()
        assert gateway.summary(days=1)["total_cost"] == pytest.approx(0.022)


def test_reprice_needs_a_ledger(invoke: Invoke, db: Path) -> None:
    """A missing ledger is not created; a text that is not a time is wrong use."""
    assert (invoke("reprice").exit_code, db.exists()) == (1, False)
    assert invoke("reprice", "--since", "soon").exit_code == 2


def test_an_interruption_says_how_far_it_came() -> None:
    """After Ctrl-C the command says that no row is half changed, and how to go on."""
    sentence = so_far(RepricingTotals(requests=150, changed=100))
    assert "Of 150 requests that were looked at, about 100 have new figures" in sentence
    assert "Run the command again" in sentence
