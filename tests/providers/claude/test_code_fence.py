"""Code fences around JSON."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.claude.code_fence import MAX_SPACE, FenceFilter, strip_code_fence

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
def test_code_fence_around_the_whole_text_is_removed(text: str, bare: str) -> None:
    """A fence that opens the text is taken off with the one that closes it; anything else stays."""
    assert strip_code_fence(text) == bare


SPACE = "\n" * MAX_SPACE


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        (f"{SPACE}```\n{JSON}{SPACE}```{SPACE}", JSON),
        (f"{SPACE}\n```\n{JSON}", f"{SPACE}\n```\n{JSON}"),
        (f"```\n{JSON}```{SPACE}\n", f"{JSON}```{SPACE}\n"),
        (f"```\n{JSON}\n{SPACE}```", f"{JSON}\n"),
    ],
)
@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_space_around_a_fence_is_bounded(text: str, bare: str, cut: int) -> None:
    """White space beyond the bound is text, cut or whole."""
    fence = FenceFilter()
    pieces = [fence.feed(text[at : at + cut]) for at in range(0, len(text), cut)]
    assert "".join(pieces) + fence.close() == strip_code_fence(text) == bare


@pytest.mark.parametrize("filling", [" ", "\n", "`", "``` ", "\t`"])
def test_code_fence_detection_holds_back_little(filling: str) -> None:
    """However much white space and however many ticks a model writes, it is passed on, and looking at it stays cheap."""
    long = filling * 50_000
    assert strip_code_fence(f"```\n{long}x") == f"{long}x"
    fence = FenceFilter()
    passed = fence.feed("```\n") + "".join(fence.feed(long[at : at + 5]) for at in range(0, len(long), 5))
    assert len(long) - len(passed) <= 2 * MAX_SPACE + 3


@given(
    text=st.text("`\n {}j", max_size=20) | st.text("`\n {}j", max_size=8).map(lambda text: f"```json\n{text}"),
    cuts=st.lists(st.integers(0, 30), max_size=6),
)
def test_code_fence_is_removed_however_the_text_is_cut(text: str, cuts: list[int]) -> None:
    """However the text is cut, the outcome is that of the whole."""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    fence = FenceFilter()
    pieces = [fence.feed(text[begin:end]) for begin, end in itertools.pairwise(edges)]
    assert "".join(pieces) + fence.close() == strip_code_fence(text)
