"""The table of faults and attacks: every one has its row, and each promise names tests that are there."""

from __future__ import annotations

import re

from tests.documents import ROOT, text_of
from tests.soak.__main__ import PARTS

TEXT = text_of("promises.md").partition("\n## Fault by fault, attack by attack\n")[2]
ROWS = re.findall(r"^\| ([FS]\d+) \| (.+) \|$", TEXT, re.MULTILINE)


def test_every_fault_and_attack_has_its_row() -> None:
    """Faults 1 to 58, then attacks 1 to 63, each once and in order."""
    numbers = [*(f"F{number}" for number in range(1, 59)), *(f"S{number}" for number in range(1, 64))]
    assert [number for number, _ in ROWS] == numbers


def test_every_row_is_held_or_says_that_it_is_not() -> None:
    """A row names a test or a part of the soak, or says what is not done."""
    bare = [number for number, row in ROWS if not re.search(r"`tests/[\w/.]+::\w+`|soak `\w+`|Not done", row)]
    assert bare == []


def test_every_test_is_there() -> None:
    """A test that the document names exists under that name."""
    named = set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", TEXT))
    assert len(named) > 50
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not re.search(rf"^(async def|def|class) {name}\b|^{name} =", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_part_of_the_soak_has_its_figures() -> None:
    """The last figures of each part stand in the document, and none that broke its promise says otherwise."""
    figures = dict(re.findall(r"^\| (\w+) \| .+ \| (kept|BROKEN) \|$", TEXT, re.MULTILINE))
    assert figures.keys() == PARTS.keys()
    named = {
        name
        for _, row in ROWS
        for each in re.findall(r"soak ((?:`\w+`(?:, )?)+)", row)
        for name in re.findall(r"\w+", each)
    }
    assert named == PARTS.keys()
