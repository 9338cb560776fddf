"""The table of faults: each promise names tests that are there."""

from __future__ import annotations

import re

from tests.documents import ROOT, text_of
from tests.soak.__main__ import PARTS

TEXT = text_of("faults.md")


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
