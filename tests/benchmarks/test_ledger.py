"""The benchmark of a large ledger."""

from __future__ import annotations

import pytest

from benchmarks.ledger import main


def test_a_small_one(capsys: pytest.CaptureFixture[str]) -> None:
    """It makes a ledger of as many rows as it is told, and times what can be asked of it."""
    main(100)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("100 rows, ")
    assert {line.split("  ")[0] for line in lines[1:]} >= {"open", "summary of 90 days", "one request"}
