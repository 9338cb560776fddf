from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prompt.json_tokens import JsonTokenCounts, json_tokens

SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(st.characters())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_cached_counts_equal_counted_ones(value: Any) -> None:
    """The cache returns what `json_tokens` returns, for any JSON value and the second time too."""
    counts = JsonTokenCounts()
    assert [counts.count(value), counts.count(value)] == [json_tokens(value)] * 2


def test_equal_tools_are_counted_once() -> None:
    """The same tools of the next request come from the cache, though they are other objects; others do not."""
    counts = JsonTokenCounts()
    for text in ("a tool", "a tool", "another tool"):
        counts.count([{"type": "function", "function": {"name": "f", "description": text}}])
    assert len(counts._counts) == 2


def test_cache_of_counts_is_bounded_and_keeps_no_text() -> None:
    """The cache holds `capacity` numbers, the least recently used leave first."""
    counts = JsonTokenCounts(capacity=2)
    for name in ("one", "two", "one", "three"):
        counts.count({"name": name})
    assert len(counts._counts) == 2
    assert all(isinstance(each, int) for pair in counts._counts.items() for each in pair)
    before = list(counts._counts)
    counts.count({"name": "one"})
    assert list(counts._counts) == before[::-1]


@pytest.mark.parametrize("value", [json.loads("[" * 900 + "1" + "]" * 900), ["\ud800"]], ids=["deep", "surrogate"])
def test_what_cannot_be_serialized_is_counted(value: Any) -> None:
    """Very deep values and lone surrogates have a size like all others."""
    assert JsonTokenCounts().count(value) == json_tokens(value) > 0
