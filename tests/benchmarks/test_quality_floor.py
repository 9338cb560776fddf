"""The benchmark of quality floors, on its sample."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.quality_floor import SAMPLE, main, read, run, table


def test_the_baseline_is_the_best_model_and_the_cheapest_comes_first() -> None:
    """The file's prices and grades decide."""
    graded = read(SAMPLE)
    assert [model.name for model in graded.models] == ["small", "large"]
    assert graded.baseline == 1
    assert len(graded.prompts) == 24


def test_a_compressed_file_is_read_alike(tmp_path: Path) -> None:
    """By its name."""
    path = tmp_path / "graded.jsonl.gz"
    path.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert read(path) == read(SAMPLE)


def test_a_floor_keeps_the_quality() -> None:
    """The floor costs money, a resample can be repeated, and without a floor the cheap model answers nearly everything."""
    graded = read(SAMPLE)
    strict = run(graded, 0.99, requests=300, labelled=0, seed=1)
    assert strict == run(graded, 0.99, requests=300, labelled=0, seed=1)
    assert strict.quality >= 0.99
    assert run(graded, 0.01, requests=300, labelled=300, seed=1).cost < 0.2 < strict.cost


def test_the_table_has_a_row_for_each_floor(capsys: pytest.CaptureFixture[str]) -> None:
    """And for each number of labelled prompts."""
    assert len(table(read(SAMPLE), resamples=2, requests=20, labelled=(0, 20))) == 2 + 6
    main(["--resamples", "1", "--requests", "5", "--labelled", "0"])
    assert capsys.readouterr().out.count("\n") == 2 + 3
