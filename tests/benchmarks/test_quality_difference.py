"""The simulation of the quality difference whose truth is known."""

from __future__ import annotations

import pytest

from benchmarks.quality_difference import SCENARIOS, main, measured


def test_the_interval_contains_the_true_difference() -> None:
    """In ten worlds the interval contains the truth at every look, and the difference is not far from it."""
    result = measured("scores", runs=10, seed=3, conversations=4_000)
    assert result.covered == 1.0
    assert result.printed > 0.8
    assert abs(result.error) < 0.02


def test_few_ratings_print_no_difference() -> None:
    """Where the ratings do not carry a figure there is none, so none can be wrong."""
    result = measured("up or down", runs=2, seed=1, conversations=100)
    assert (result.covered, result.printed, result.half_width) == (1.0, 0.0, 0.0)


def test_the_table_has_each_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--runs", "1", "--conversations", "50"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(SCENARIOS)
