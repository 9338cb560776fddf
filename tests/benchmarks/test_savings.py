"""The simulation of savings whose truth is known."""

from __future__ import annotations

import pytest

from benchmarks.savings import SCENARIOS, main, measured


def test_the_printed_interval_contains_the_truth() -> None:
    """In 20 worlds the interval of the savings contains what the baseline really costs, in at least 90 of 100."""
    result = measured("named", runs=20, seed=3, conversations=60)
    assert result.covered >= 0.9
    assert abs(result.error) < 0.2
    assert result.width < 1.5


def test_the_table_has_each_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--runs", "1", "--conversations", "5"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(SCENARIOS)
