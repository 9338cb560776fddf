"""Candidates as columns."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.candidate_columns import from_columns, to_columns

FIGURES = st.floats(0, 1, allow_nan=False)
CANDIDATES = st.lists(
    st.fixed_dictionaries(
        {
            "provider": st.text(max_size=5),
            "model": st.text(max_size=5),
            "tier": st.sampled_from(["simple", "moderate", "complex"]),
            "quality": FIGURES,
            "spread": FIGURES,
            "cost": FIGURES,
            "outcomes": FIGURES,
            "propensity": FIGURES,
            "cooling": st.booleans(),
        }
    ),
    max_size=5,
)


@given(CANDIDATES)
def test_columns_give_the_same_candidates_back(candidates: list[dict[str, Any]]) -> None:
    """What is written as columns is read as the same list of objects."""
    stored = orjson.loads(orjson.dumps(to_columns(candidates)))
    assert from_columns(stored) == candidates


def test_columns_take_under_half_of_the_bytes() -> None:
    """Names of members stand once, not once for each model; most outcomes, propensities and cool-downs are not written."""
    candidates = [
        {
            "provider": "openrouter", "model": f"vendor/model-{number}", "tier": "simple", "quality": 0.9, "spread": 0.1,
            "cost": 0.0001234, "outcomes": 0.0, "propensity": float(number == 0), "cooling": False,
        }
        for number in range(26)
    ]  # fmt: skip
    assert len(orjson.dumps(to_columns(candidates))) < len(orjson.dumps(candidates)) / 2


@pytest.mark.parametrize("candidates", [[], [{"provider": "a", "model": "b"}], [{"anything": 1}]], ids=str)
def test_other_candidates_are_kept_as_they_are(candidates: list[dict[str, Any]]) -> None:
    """A replaced strategy's own candidates, and rows that other tools wrote, stay lists of objects."""
    assert from_columns(to_columns(candidates)) == candidates


@pytest.mark.parametrize("stored", [None, "text", 3, {"model": []}], ids=str)
def test_what_is_not_columns_is_read_unchanged(stored: Any) -> None:
    """A column that holds something else does not break a report."""
    assert from_columns(stored) == stored
