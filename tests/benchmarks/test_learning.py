"""The measurement of what is learned over time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.learning import main


def measured(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, str]:
    """What it printed and what it drew."""
    picture = tmp_path / "picture.svg"
    assert main(["--requests", "24", "--out", str(picture), *options]) == 0
    return capsys.readouterr().out, picture.read_text()


def test_repeatable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same seed measures and draws the same, another one something else."""
    first = measured(tmp_path, capsys)
    assert measured(tmp_path, capsys) == first
    assert measured(tmp_path, capsys, "--seed", "2") != first


def test_every_policy_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table and the picture show the gateway, the best fixed model, complexity and the oracle; the oracle is the best bargain."""
    table, picture = measured(tmp_path, capsys)
    figures = {
        cells[1].strip().split(" (")[0]: [float(cell) for cell in cells[2:-1]]
        for line in table.splitlines()[4:]
        if len(cells := line.split("|")) > 2
    }
    assert list(figures) == ["gateway", "best fixed model", "complexity", "oracle"]
    assert all(f">{name}<" in picture for name in figures)
    assert figures["oracle"][0] >= 0.97 * figures["best fixed model"][0]
    assert figures["oracle"][1] <= figures["best fixed model"][1]
