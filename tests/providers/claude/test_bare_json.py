"""Code fences around JSON."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.claude.bare_json import FenceFilter, without_fence

JSON = '{"a": "```"}'


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        (JSON, JSON),
        (f"```json\n{JSON}\n```", JSON),
        (f"\n``` \r\n{JSON}```\n", JSON),
        (f"```json\n{JSON}", JSON),
        (f"``{JSON}``", f"``{JSON}``"),
        (f"{JSON}\n```", f"{JSON}\n```"),
        ("```", "```"),
        ("", ""),
    ],
)
def test_without_fence(text: str, bare: str) -> None:
    """A fence that opens the text is taken off with the one that closes it; anything else stays."""
    assert without_fence(text) == bare


@given(
    text=st.text("`\n {}j", max_size=20) | st.text("`\n {}j", max_size=8).map(lambda text: f"```json\n{text}"),
    cuts=st.lists(st.integers(0, 30), max_size=6),
)
def test_any_cut(text: str, cuts: list[int]) -> None:
    """However the text is cut, the outcome is that of the whole."""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    fence = FenceFilter()
    pieces = [fence.feed(text[begin:end]) for begin, end in itertools.pairwise(edges)]
    assert "".join(pieces) + fence.close() == without_fence(text)
