"""`gateway explain`."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.catalog.packaged import load_prices
from gateway.completion import Usage
from gateway.records import Attempt, Feedback
from gateway.store import InsertFeedback, InsertRequest, SettleRequest
from gateway.store.sqlite import SqliteStore
from tests.cli.conftest import Invoke
from tests.cli.test_replay import FLASH, HAIKU, record
from tests.store.pages import candidate

USAGE = Usage(prompt_tokens=1000, completion_tokens=200, raw={"input_tokens": 1000, "output_tokens": 200})
BILLED = Decimal("0.0002")  # 1,000 tokens at 0.1 and 200 at 0.5 USD per million


def written(db: Path, **changes: Any) -> None:
    """A request that Haiku answered after Flash had failed."""
    calls = (
        Attempt(1, *FLASH, status="failed_free", error="upstream_timeout", duration=1.5),
        Attempt(2, *HAIKU, status="settled", cost=BILLED, usage=USAGE, duration=0.5),
    )
    settled = record(1)._replace(
        usage=USAGE, attempts=calls, actual_cost=BILLED, baseline_cost=BILLED, evidence="exact", http_status=200,
        price_version="2020-01-01", reasoning="It was the better bargain.",
    )._replace(**changes)  # fmt: skip
    with closing(SqliteStore(db)) as store:
        store.submit(InsertRequest(settled)).result()
        store.submit(SettleRequest(settled)).result()


def test_explain_shows_decision_candidates_calls_and_arithmetic(invoke: Invoke, db: Path) -> None:
    """Every figure that led to the answer and to its cost."""
    written(db)
    output = invoke("explain", "r1").stdout
    for line in (
        "Request r1, 2026-11-22T10:00:00.000+00:00",
        "  asked for auto:cheap; ended ok (HTTP 200)",
        "  claude/claude-haiku-5-5, by hybrid",
        "  It was the better bargain.",
        "  chosen with a probability of 50.00%",
        " > claude/claude-haiku-5-5: 0.900 +/- 0.100, $0.010000, 5 similar outcomes, drawn with 50.00%",
        "  1. gemini/gemini-2.5-flash-lite: failed_free, error upstream_timeout, 1.50 s",
        "  2. claude/claude-haiku-5-5: settled, 0.50 s",
        "     input: 1000 tokens x $0.1 per million = $0.000100000",
        "     output: 200 tokens x $0.5 per million = $0.000100000",
        "     sum $0.000200000, in the row $0.000200000",
        "Cost: $0.000200 for all calls",
        "Baseline: claude/claude-haiku-5-5, evidence exact",
        "Saved: $0.000000, 0.0 % of the baseline (baseline minus cost)",
    ):
        assert line in output.splitlines(), line
    assert "Prices: the row was priced with 2020-01-01, here they are" in output


def test_explain_shows_what_else_the_row_has(invoke: Invoke, db: Path) -> None:
    """Session, holdback, fallback, shadow, tags, error, rating, cache and interval are shown where they are."""
    written(
        db,
        status="error", error_code="upstream_timeout", session_kept=True, switch_penalty=0.002, holdback=True,
        fallback_used=True, fallback_reason="upstream: it was slow", shadow_provider="gemini", shadow_model="flash",
        tags={"team": "blue"}, cache_miss="expired", cache_missed_tokens=4_000, cache_loss=Decimal("0.002"),
        baseline_cost_low=Decimal("0.0001"), baseline_cost_high=Decimal("0.0003"),
        estimated=True, experimental=True,
    )  # fmt: skip
    with closing(SqliteStore(db)) as store:
        store.submit(InsertFeedback(Feedback("r1", 0.5, "2026-11-22T10:05:00.000+00:00"))).result()
    output = invoke("explain", "r1").stdout
    for part in (
        "error upstream_timeout",
        "rated 0.5 of 1",
        "tags team=blue",
        "confidence low, an experiment",
        "the conversation stayed with its model",
        "leaving the conversation's model costs $0.002000 of cached prompt",
        "(holdback)",
        "fallback: upstream: it was slow",
        "auto would have chosen gemini/flash",
        "between $0.000100 and $0.000300",
        "Cache: the conversation's prefix was not read: expired; 4000 tokens, which cost $0.002000 more than reading them",
    ):
        assert part in output, part


def test_equal_prices_are_not_mentioned(invoke: Invoke, db: Path) -> None:
    """The versions of the prices are named only where they differ."""
    written(db, price_version=load_prices().version)
    assert "Prices:" not in invoke("explain", "r1").stdout


def test_long_lists_of_candidates_are_cut(invoke: Invoke, db: Path) -> None:
    """Twelve are shown; --all shows every one."""
    many = [candidate((f"p{number}", "m"), cooling=number == 1) for number in range(15)]
    written(db, candidates=many)
    output = invoke("explain", "r1").stdout
    assert "   and 3 more (--all)" in output
    assert "cooling down" in output
    assert "p14/m" in invoke("explain", "r1", "--all").stdout


def test_bare_row_is_explained(invoke: Invoke, db: Path) -> None:
    """A row without candidates, usage and calls says so."""
    bare = record(1)._replace(
        candidates=(), propensity=None, confidence=None, complexity_score=None, actual_cost=None, baseline_cost=None,
        requested_model=None, session_kept=False,
    )  # fmt: skip
    with closing(SqliteStore(db)) as store:
        store.submit(InsertRequest(bare)).result()
        store.submit(SettleRequest(bare)).result()
    output = invoke("explain", "r1").stdout
    assert "asked for an unknown model; ended ok (no HTTP status)" in output
    assert "Calls: 1" in output
    assert "Cost: unknown for all calls" in output
    assert "the conversation left its model" in output
    assert "Candidates" not in output


def test_cost_that_the_calls_do_not_explain_is_named(invoke: Invoke, db: Path) -> None:
    """A row whose cost is not the sum of its calls says by how much."""
    written(db)
    with closing(SqliteStore(db)) as store:
        store.submit(InsertRequest(record(3))).result()
        other = record(3)._replace(
            attempts=(Attempt(1, *HAIKU, status="settled", cost=BILLED, usage=USAGE),), actual_cost=Decimal("0.0003")
        )
        store.submit(SettleRequest(other)).result()
    assert "  the row has 0.000100000 USD more" in invoke("explain", "r3").stdout


def test_json_has_everything(invoke: Invoke, db: Path) -> None:
    """--json gives the same figures, and the prompt's features."""
    written(db, features={"length": 0.5})
    answer = orjson.loads(invoke("explain", "r1", "--json").stdout)
    assert answer["decision"]["features"] == {"length": 0.5}
    assert answer["attempts"][1]["calculated_usd"] == 0.0002
    assert answer["baseline"]["lines"] == answer["attempts"][1]["lines"]


@pytest.mark.parametrize("request_id", ["nope", ""])
def test_unknown_request_says_where_the_id_is_from(invoke: Invoke, db: Path, request_id: str) -> None:
    """The message names the ledger and the header."""
    written(db)
    result = invoke("explain", request_id)
    assert result.exit_code == 1
    assert f"has no request {request_id!r}. Its id is the answer's x-request-id." in result.output
