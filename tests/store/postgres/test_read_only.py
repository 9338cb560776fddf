"""Reading a PostgreSQL ledger without the right, or the wish, to change it."""

from __future__ import annotations

from contextlib import closing

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import Checkpoint, InsertCheckpoint, InsertRequest, SettleRequest
from gateway.store.opening import open_read_only
from gateway.store.read_only import LedgerOutdated
from tests.postgres import drop_database, execute, new_database, rows
from tests.store.cases import begun, ended
from tests.store.postgres.conftest import MakeStore


def test_reports_are_read_and_writes_refused(url: str, make_store: MakeStore) -> None:
    """Every report works; a write fails, and a checkpoint is dropped."""
    make_store().submit(SettleRequest(ended())).result()
    with closing(open_read_only(url)) as store:
        store.check()
        assert (store.summary(days=30)["total_requests"], store.writable()) == (1, False)
        assert "is opened read-only" in str(store.submit(InsertRequest(begun("x"))).exception())
        with pytest.raises(LedgerUnavailable, match="is opened read-only"):
            store.close_orphans(now="2026-11-22T11:00:00Z")
        assert store.submit(InsertCheckpoint(Checkpoint("saved", "f", learned_to=1, outcomes=1), b"")).result() == 0
    assert rows(url, "SELECT (SELECT count(*) FROM routing_metrics), (SELECT count(*) FROM checkpoints)") == [(1, 0)]


def test_database_without_a_ledger_is_told() -> None:
    """A command that only reads makes no tables."""
    empty = new_database(empty=True)
    with pytest.raises(LedgerUnavailable, match="There is no ledger in postgresql://"):
        open_read_only(empty)
    assert rows(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    drop_database(empty)


def test_older_schema_is_told(url: str) -> None:
    """A ledger that `gateway serve` has to upgrade first is not read."""
    execute(url, "UPDATE schema_version SET version = version - 1")
    with pytest.raises(LedgerOutdated, match="start `gateway serve` on it once"):
        open_read_only(url)
