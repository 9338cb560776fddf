"""`gateway prune`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import orjson

from gateway.store import Checkpoint, InsertCheckpoint, SettleRequest
from gateway.store.opening import open_store
from tests.cli.conftest import Invoke
from tests.store.cases import ended
from tests.store.test_pruning import OLD, outcome


def test_prune_deletes_rows_and_keeps_the_report(invoke: Invoke, db: Path) -> None:
    """Old rows and outcomes are gone, and counted; the report says what it said."""
    with closing(open_store(db)) as store:
        for name in ("a", "b", "c"):
            store.submit(SettleRequest(ended(name, timestamp=OLD))).result()
        store.submit(SettleRequest(ended("new"))).result()
        learned = outcome(OLD)
        store.submit(learned).result()
        store.submit(InsertCheckpoint(Checkpoint("saved", "f", learned_to=1, outcomes=1), b"state")).result()
    report = ("report", "--since", "2026-01-01", "--json")
    before = orjson.loads(invoke(*report).stdout)
    result = invoke("prune", "--older-than", "2026-09-01")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Deleted 3 requests and 1 outcomes from before 2026-09-01")
    after = orjson.loads(invoke(*report).stdout)
    assert (after["requests"], after["spent_usd"], after["saved_usd"]) == (4, before["spent_usd"], before["saved_usd"])
    assert len(invoke("requests").stdout.splitlines()) == 1


def test_prune_keeps_a_month(invoke: Invoke, db: Path) -> None:
    """Less than 31 days is wrong use: ratings and monthly limits need the rows."""
    with closing(open_store(db)) as store:
        store.submit(SettleRequest(ended())).result()
    result = invoke("prune", "--older-than", "30d")
    assert (result.exit_code, "at least 31d" in result.output) == (2, True)


def test_prune_without_a_ledger_is_told(invoke: Invoke) -> None:
    """A ledger that is not there is status 1, and none is made."""
    result = invoke("prune", "--older-than", "90d")
    assert (result.exit_code, "There is no ledger" in result.output) == (1, True)
