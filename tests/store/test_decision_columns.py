"""Recorded decisions as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from gateway.catalog import ModelKey
from gateway.store.decision_columns import DecisionReader
from tests.store.pages import LARGE, SMALL, candidate, page, row, two


def test_decision_has_a_column_for_each_model() -> None:
    """Figures stand in the column of their model; a model that was no candidate has no cost."""
    columns = page(
        row(1), row(2, candidates=[candidate(LARGE, propensity=1.0, cooling=True, outcomes=7)], propensity=1.0)
    )
    assert columns.models == (ModelKey(*SMALL), ModelKey(*LARGE))
    assert columns.cost[0].tolist() == [0.001, 0.01]
    assert np.isnan(columns.cost[1]).tolist() == [True, False]
    assert columns.propensity.tolist() == [[0.98, 0.02], [0.0, 1.0]]
    assert columns.outcomes[1].tolist() == [0, 7]
    assert columns.cooling.tolist() == [[False, False], [False, True]]
    assert columns.actual_cost[0] == pytest.approx(0.001)
    assert columns.baseline.tolist() == [1, 1]


def test_explored_choice_is_not_the_favourite() -> None:
    """The choice stands first in the row; the favourite is the most probable candidate."""
    small, large = two()
    columns = page(row(candidates=[large, small], propensity=0.02))
    assert columns.models[columns.chosen[0]] == LARGE
    assert columns.models[columns.favourite[0]] == SMALL


def test_models_keep_their_columns_from_page_to_page() -> None:
    """A model that appears later gets a column behind the known ones."""
    reader = DecisionReader()
    reader.read([row()], {})
    later = reader.read([row(candidates=[candidate(("x", "new"), propensity=1.0), *two()[:1]], propensity=1.0)], {})
    assert later.models == (ModelKey(*SMALL), ModelKey(*LARGE), ModelKey("x", "new"))


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy_used": "pinned"},
        {"propensity": None},
        {"complexity_score": None},
        {"actual_cost_nano": None},
        {"candidates": "[]"},
        {"candidates": "no json"},
        {"candidates": "7"},
        {"candidates": '{"model": 1}'},
        {"candidates": '[{"provider": "x", "model": "y"}]'},
        {"candidates": orjson.dumps([candidate(cost=-1.0, propensity=1.0)]).decode()},
        {"candidates": orjson.dumps([candidate(quality="good", propensity=1.0)]).decode()},
        {"candidates": orjson.dumps([candidate(quality=1.5, propensity=1.0)]).decode()},
        {"candidates": orjson.dumps([candidate(propensity=0.9), candidate(LARGE, propensity=0.9)]).decode()},
        {"propensity": "often"},
    ],
    ids=str,
)
def test_row_that_cannot_be_replayed_is_left_out(changes: dict[str, Any]) -> None:
    """A row without what a replay needs, or with something else in it, is left out; the others stay."""
    columns = page(row(1), row(2, **changes), row(3))
    assert len(columns) == 2
    assert columns.favourite.tolist() == [0, 0]


def test_page_without_decisions_is_empty() -> None:
    """A page of named requests has no decision."""
    assert len(page(row(strategy_used="pinned"))) == 0


def test_rows_of_earlier_versions_are_read() -> None:
    """A list of objects is read like columns."""
    assert page(row(candidates=orjson.dumps(two()).decode())).propensity.tolist() == [[0.98, 0.02]]


def test_feedback_is_preferred_to_a_label() -> None:
    """What a client said counts more than a check of the answer."""
    columns = page(row(1, feedback_score=1.0), row(2), row(3), labels={"r1": 0.0, "r2": 0.9})
    assert columns.label[:2].tolist() == [1.0, 0.9]
    assert np.isnan(columns.label[2])


def test_conversation_and_its_subagents_are_one_group() -> None:
    """A subagent's turns depend on those of its agent."""
    columns = page(row(1, session_id="s"), row(2, session_id="s/reviewer"), row(3, session_id="t"), row(4))
    assert columns.group[0] == columns.group[1]
    assert len(set(columns.group.tolist())) == 3


def test_holdback_gives_the_baseline_a_probability() -> None:
    """Where a draw could have sent the request to the baseline, the row's own probability is lower than its candidate's."""
    columns = page(row(holdback=0, propensity=0.98 * 0.99))
    assert columns.propensity[0].tolist() == pytest.approx([0.98 * 0.99, 0.02 * 0.99 + 0.01])
    unknown = page(row(holdback=0, propensity=0.98 * 0.99, baseline_model="elsewhere"))
    assert unknown.propensity[0].tolist() == pytest.approx([0.98 * 0.99, 0.02 * 0.99])


def test_held_back_row_has_its_own_probability() -> None:
    """A conversation that was held back has the draw's probability, whatever its candidates say."""
    columns = page(row(holdback=1, propensity=0.01, candidates=[candidate(LARGE, propensity=1.0), candidate()]))
    assert columns.propensity[0].tolist() == [0.01, 0.0]
    late = page(row(propensity=0.5, candidates=[candidate(), candidate(LARGE, propensity=0.5)]))
    assert late.propensity[0].tolist() == [0.5, 0.5]
