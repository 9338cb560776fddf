"""Rows as CSV."""

from __future__ import annotations

from gateway.api.rows_csv import csv_text


def test_cells_are_safe_for_spreadsheets() -> None:
    """Formulas begin with an apostrophe, lists and objects are JSON, and what is missing is empty."""
    rows: list[dict[str, object]] = [{"a": "@cmd", "b": {"x": 1}}, {"a": "plain", "b": None}, {"b": [1]}]
    assert csv_text(["a", "b"], rows) == 'a,b\n\'@cmd,"{""x"":1}"\nplain,\n,[1]\n'
    assert csv_text(["a"], rows[:1], header=False) == "'@cmd\n"
