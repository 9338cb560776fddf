"""The script that makes the file of public strengths."""

from __future__ import annotations

from datetime import date
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from gateway.catalog.strengths import StrengthTable

SCRIPT = Path(__file__).parent.parent / "scripts" / "strengths"
DAY = date(2026, 11, 29)
FIGURES = """
gemini/median: {scores: {whatmodel: 70, artificial_analysis: 27.57}, effort: default, evidence: independent}
gemini/strong: {scores: {whatmodel: 76.2, artificial_analysis: 42.06}, effort: high, evidence: independent}
gemini/low: {scores: {whatmodel: 76.2, artificial_analysis: 27.57}, highest: {artificial_analysis: 42.06}, effort: low, evidence: independent}
gemini/weak: {scores: {whatmodel: 63.8}, effort: default, evidence: independent, read: 2026-01-02}
gemini/new: {scores: {whatmodel: 70}, effort: default, evidence: predecessor}
gemini/unknown: {unknown: released yesterday}
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    module = ModuleType("strengths_script")
    module.__file__ = str(SCRIPT)
    SourceFileLoader("strengths_script", str(SCRIPT)).exec_module(module)
    return module


def test_figures_become_rounded_strengths(script: ModuleType, tmp_path: Path) -> None:
    """One standard deviation is 6.2 points over the median, at the effort that is sent; one source and kin have wider errors."""
    (tmp_path / "figures.yaml").write_text(FIGURES)
    file = tmp_path / "strengths.json"

    assert script.main([str(tmp_path / "figures.yaml"), "--date", "2026-11-29"], file=file) == 0
    table = StrengthTable.loads(file.read_bytes(), today=DAY)
    assert {name: strength[:2] for name, strength in table.strengths.items()} == {
        "gemini/median": (0.0, 0.25),
        "gemini/strong": (1.0, 0.25),
        "gemini/low": (0.0, 0.25),
        "gemini/weak": (-1.0, pytest.approx(0.88, abs=0.01)),  # older than 180 days
        "gemini/new": (0.0, 0.7),
    }
    assert table.unknown == {"gemini/unknown": "released yesterday"}
    assert "76.2" not in file.read_text()


def test_script_repeats_itself(script: ModuleType) -> None:
    """The same figures give the same text."""
    table = yaml.safe_load(FIGURES)

    assert script.snapshot(table, DAY) == script.snapshot(table, DAY)
