"""The sums of rows."""

from __future__ import annotations

from decimal import Decimal

from gateway.completion import Usage
from gateway.observability.row_totals import RowTotals
from tests.store.cases import ended


def test_rows_without_cost_or_usage_count_as_requests() -> None:
    """A row that failed has no cost and no tokens, and is counted under its status."""
    totals = RowTotals()
    totals.add(ended(actual_cost=Decimal("0.5"), usage=Usage(prompt_tokens=10, completion_tokens=5)))
    totals.add(ended(status="error", actual_cost=None, usage=None))
    assert totals == RowTotals({"ok": 1, "error": 1}, cost=0.5, prompt=10, completion=5)
