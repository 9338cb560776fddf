"""The tables' columns and keys are those of their definitions."""

from __future__ import annotations

from gateway.store import rollup
from gateway.store.ledger_tables import ledger_tables


def test_columns_and_keys_are_read() -> None:
    """Each table has its columns with their kinds, in order, and its primary key in order."""
    found = {table.name: table for table in ledger_tables()}
    assert found["feedback_keys"].columns == {"provider": "TEXT", "model": "TEXT", "key_id": "TEXT"}
    assert found["holds"].key == ("request_id", "account")
    assert found["outcomes"].key == ("id",)
    assert found["rollup"].key == rollup.KEY


def test_shards_of_the_rollup_are_added() -> None:
    """The rows of the rollup are sums over its shards; those of other tables are as they are."""
    found = {table.name: table for table in ledger_tables()}
    assert "sum(requests) AS requests" in found["rollup"].rows
    assert found["rollup"].grouping == f" GROUP BY {', '.join(rollup.KEY)}"
    assert (found["holds"].rows.startswith("SELECT request_id, "), found["holds"].grouping) == (True, "")
