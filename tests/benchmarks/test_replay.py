"""The simulation of replays with a known truth."""

from __future__ import annotations

from pathlib import Path

from benchmarks.replay import SimulatedRuns, rows_per_second, run


def test_replay_finds_the_truth_at_its_stated_rate() -> None:
    """Over 20 runs: a bias below a hundredth where ignoring the change would be four times as wrong, and intervals that hold the truth.

    Slow: 60,000 decisions per run, because exploration records few of the other policy's choices.
    """
    found = SimulatedRuns.of(range(100, 120), rows=60_000, labelled=1.0)
    assert found.given == found.runs == 20
    assert abs(found.quality_bias) < 0.01
    assert abs(found.naive_bias) > 0.04
    assert abs(found.spent_bias) < 0.01
    assert found.quality_covered >= 0.85
    assert found.spent_covered >= 0.85


def test_simulated_ledger_without_ratings_gives_no_quality() -> None:
    """Without ratings there is a cost and no quality."""
    found = run(1, rows=3_000, labelled=0.0)
    assert found.report.quality.then is None
    assert found.report.spent_usd.then is not None


def test_speed_is_measured_on_a_ledger_file(tmp_path: Path) -> None:
    """The rows are written, read and replayed; a page of many rows is not slower than a request."""
    assert rows_per_second(tmp_path / "gateway.db", 3_000) > 1_000
