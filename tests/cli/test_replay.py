"""`gateway replay`."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.replay import pages
from gateway.completion import Usage
from gateway.records import Feedback, RequestRecord
from gateway.store import InsertFeedback, InsertRequest, SettleRequest
from gateway.store.decisions import Period
from gateway.store.read_only import ReadOnlyStore
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import Invoke
from tests.store.pages import candidate

FLASH, HAIKU = ("gemini", "gemini-2.5-flash-lite"), ("claude", "claude-haiku-5-5")
CHEAP = candidate(FLASH, quality=0.7, cost=0.001, outcomes=5, propensity=0.5)
GOOD = candidate(HAIKU, quality=0.9, cost=0.01, outcomes=5, propensity=0.5)


def record(number: int, *, timestamp: str = "2026-11-22T10:00:00.000+00:00") -> RequestRecord:
    """Every second decision went to the better model."""
    chosen, other, cost = (GOOD, CHEAP, "0.01") if number % 2 else (CHEAP, GOOD, "0.001")
    return RequestRecord(
        request_id=f"r{number}",
        timestamp=timestamp,
        strategy_used="hybrid",
        selected_provider=chosen["provider"],
        selected_model=chosen["model"],
        baseline_provider=HAIKU[0],
        baseline_model=HAIKU[1],
        confidence="low",
        pattern_detected="code",
        complexity_score=0.5,
        candidates=(chosen, other),
        propensity=0.5,
        requested_model="auto:cheap",
        status="ok",
        actual_cost=Decimal(cost),
        baseline_cost=Decimal("0.01"),
    )


@pytest.fixture
def filled(db: Path) -> Path:
    """200 decisions; the answers of the better model are rated 1, the others 0.5."""
    with closing(SqliteStore(db)) as store:
        for number in range(200):
            written = record(number)
            store.submit(InsertRequest(written))
            store.submit(SettleRequest(written))
            store.submit(InsertFeedback(Feedback(f"r{number}", 1.0 if number % 2 else 0.5, written.timestamp)))
        store.flush()
    return db


def replayed(invoke: Invoke, *arguments: str) -> Any:
    result = invoke("replay", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)


def test_replay_tells_what_one_model_for_all_would_have_cost(invoke: Invoke, filled: Path) -> None:
    """The better model for all would have cost 2 USD and been right always."""
    answer = replayed(invoke, "--strategy", "claude/claude-haiku-5-5")
    assert answer["requests"] == answer["usable"] == 200
    assert answer["spent_usd"]["now"] == pytest.approx(1.1)
    assert answer["spent_usd"]["then"] == pytest.approx(2.0)
    assert answer["quality"]["now"] == pytest.approx(0.75)
    assert answer["quality"]["then"] == pytest.approx(1.0)
    assert answer["saved_share"]["then"] == pytest.approx(0.0)
    assert answer["enough"]
    assert answer["policy_now"]["strategy"] == "recorded"
    assert answer["policy_then"]["strategy"] == "claude/claude-haiku-5-5"


@pytest.mark.parametrize(
    ("arguments", "cost"),
    [
        (["--strategy", "complexity"], 2.0),
        (["--strategy", "hybrid", "--set", "tradeoffs.cheap=1"], 2.0),
        (["--set", "min_quality=0.8"], 2.0),
        (["--set", "quality_floor=0.95"], 2.0),
        (["--set", "max_cost=0.005", "--set", "tradeoffs.cheap=1"], 1.1),
    ],
    ids=str,
)
def test_strategy_tradeoff_and_limits_can_be_changed(
    invoke: Invoke, filled: Path, arguments: list[str], cost: float
) -> None:
    """Each change has its effect on the spending."""
    assert replayed(invoke, *arguments)["spent_usd"]["then"] == pytest.approx(cost)


def test_prices_can_be_changed(invoke: Invoke, db: Path) -> None:
    """A price applies to the tokens of each request."""
    with closing(SqliteStore(db)) as store:
        for number in range(60):
            written = record(2 * number)._replace(usage=Usage(prompt_tokens=1000, completion_tokens=0))
            store.submit(InsertRequest(written))
            store.submit(SettleRequest(written))
        store.flush()
    model = "/".join(FLASH)
    spent = replayed(invoke, "--set", f"prices.{model}.input=0.2", "--set", f"prices.{model}.output=0.8")["spent_usd"]
    assert spent["then"] == pytest.approx(2 * spent["now"])


def test_other_configuration_is_another_catalogue(invoke: Invoke, filled: Path, tmp_path: Path) -> None:
    """The models of another configuration are chosen from; one that was never a candidate is named."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "gateway.yaml").write_text("tradeoffs: {cheap: 0.5}\n")
    (folder / "models.yaml").write_text(
        "models:\n"
        "  - {id: claude-haiku-5-5, provider: claude, tier: moderate}\n"
        "  - {id: new-model, provider: claude, tier: simple, prices: {input: 1, output: 2}}\n"
    )
    config = str(folder / "gateway.yaml")
    answer = replayed(invoke, "--config", config)
    assert answer["spent_usd"]["then"] == pytest.approx(2.0)
    assert answer["policy_then"]["without_record"] == ["claude/new-model"]
    assert answer["policy_then"]["tradeoffs"]["cheap"] == 0.5
    assert "Without a record, so never chosen here: claude/new-model." in invoke("replay", "--config", config).stdout


def test_text_shows_now_then_and_interval(invoke: Invoke, filled: Path) -> None:
    """One line for each figure, then coverage and sample size."""
    lines = invoke("replay", "--strategy", "claude/claude-haiku-5-5").stdout.splitlines()
    assert lines[0].startswith(f"200 requests of {filled}; 200 can be replayed, ")
    assert lines[2].split()[:3] == ["spent", "$1.100000", "$2.000000"]
    assert lines[4].split()[:3] == ["quality", "0.750", "1.000"]
    assert lines[5].startswith("Coverage 100.0%, effective sample size")


def test_text_says_what_is_missing(invoke: Invoke, filled: Path) -> None:
    """Where the data carry no figure, the text says why."""
    output = invoke("replay", "--since", "2027-01-01").stdout
    assert "Not enough data. Of 0 requests 0 can be replayed; 50 are needed." in output
    with closing(SqliteStore(filled)) as store:
        for number in range(1000, 1100):
            written = record(number, timestamp="2026-12-01T10:00:00.000+00:00")
            store.submit(InsertRequest(written))
            store.submit(SettleRequest(written))
        store.flush()
    output = invoke("replay", "--since", "2026-12-01").stdout
    assert "Not enough data for the quality. Of 100 decisions 0 have a rating" in output


def test_period_is_chosen(invoke: Invoke, filled: Path) -> None:
    """Only requests within the period are read."""
    assert replayed(invoke, "--until", "2026-11-22")["requests"] == 0
    assert replayed(invoke, "--since", "2026-11-22", "--until", "2026-11-23")["requests"] == 200


def test_replay_writes_nothing(invoke: Invoke, filled: Path) -> None:
    """The ledger is the same file afterwards."""
    before = filled.read_bytes()
    result = invoke("replay", "--strategy", "complexity")
    assert (result.exit_code, result.stderr) == (0, "")  # the progress bar is for terminals
    assert filled.read_bytes() == before
    assert sorted(path.name for path in filled.parent.iterdir() if "gateway.db" in path.name) == ["gateway.db"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strategy", "hybird"], "Strategies are hybrid and complexity."),
        (["--set", "tradeoff"], "KEY=NUMBER is expected"),
        (["--set", "tradeoff=much"], "KEY=NUMBER is expected"),
        (["--set", "tradeoff=2"], "the value is not from 0 to 1"),
        (["--set", "tradeoff=nan"], "the value is not from 0 to 1"),
        (["--set", "tradeoffs.best=0.5"], "there is only cheap, balanced, quality"),
        (["--set", "floor=0.5"], "there is no such key"),
        (["--set", "prices.claude/none.input=1"], "the catalogue has no model 'claude/none'"),
        (["--set", "prices.claude/claude-haiku-5-5.input=-1"], "a price is from 0 on"),
        (["--since", "soon"], "give 24h, 7d or 4w"),
    ],
    ids=str,
)
def test_wrong_use_says_what_is_known(invoke: Invoke, filled: Path, arguments: list[str], message: str) -> None:
    """Status 2, what is wrong, and what would be right."""
    result = invoke("replay", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_interrupted_replay_leaves_the_ledger_as_it_was(filled: Path) -> None:
    """Stopping in the middle is safe: replay only reads, and a gateway can write between two pages."""
    before = filled.read_bytes()
    with closing(ReadOnlyStore(filled)) as store:
        found = pages(store, Period(), limit=50)
        assert len(next(found)) == 50
        found.close()
    assert filled.read_bytes() == before
