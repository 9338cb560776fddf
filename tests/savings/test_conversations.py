"""Turns that stay with their conversation's model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gateway.savings.conversations import ConversationMemory
from gateway.store.decision_columns import DecisionReader
from tests.store.pages import candidate, page, row, two


def kept(number: int, **changes: Any) -> tuple[Any, ...]:
    certain = [candidate(propensity=1.0, cost=0.0004), candidate(("claude", "large"), quality=0.9, cost=0.01)]
    return row(
        number,
        **{
            "session_id": "s",
            "session_kept": 1,
            "candidates": certain,
            "propensity": 1.0,
            "switch_penalty": 0.0006,
            **changes,
        },
    )


def test_kept_turn_follows_its_decision() -> None:
    """It has the probabilities and the new choice of the decision, and the other model's cost with a cache there."""
    columns = page(row(1, session_id="s"), kept(2))
    _, priced, target = ConversationMemory().continued(columns, columns, np.array([1, 0]))
    assert target.tolist() == [1, 1]
    assert priced.propensity[1].tolist() == [0.98, 0.02]
    assert priced.cost[1, 1] == pytest.approx(0.01 * 0.4)


def test_kept_turn_of_an_unchanged_decision_keeps_its_cost() -> None:
    """Where the decision stays, so do its turns."""
    columns = page(row(1, session_id="s"), kept(2))
    _, priced, target = ConversationMemory().continued(columns, columns, np.array([0, 1]))
    assert target.tolist() == [0, 0]
    assert priced.cost[1].tolist() == [0.0004, 0.01]


def test_kept_turn_follows_across_pages() -> None:
    """The decision may be on an earlier page, when fewer models were known."""
    reader, memory = DecisionReader(), ConversationMemory()
    first = reader.read([row(1, session_id="s")], {})
    memory.continued(first, first, np.array([1]))
    second = reader.read([kept(2), row(3, candidates=[candidate(("x", "new"), propensity=1.0)], propensity=1.0)], {})
    _, priced, target = memory.continued(second, second, np.array([0, 2]))
    assert target.tolist() == [1, 2]
    assert priced.propensity[0].tolist() == [0.98, 0.02, 0.0]


@pytest.mark.parametrize(
    "rows",
    [
        [kept(2)],
        [row(1, session_id="s", candidates=list(reversed(two())), propensity=0.02), kept(2)],
        [row(1, session_id="s"), kept(2, candidates=[candidate(propensity=1.0)])],
    ],
    ids=["unknown decision", "another model answered", "the new choice was no candidate"],
)
def test_turn_that_fits_no_decision_stays(rows: list[tuple[Any, ...]]) -> None:
    """Such a turn is certain and unchanged."""
    columns = page(*rows)
    target = np.ones(len(rows), dtype=np.int64)
    changed, _, target = ConversationMemory().continued(columns, columns, target)
    assert target[-1] == changed.favourite[-1] == columns.chosen[-1]
    assert changed.propensity[-1].sum() == 1.0


def test_free_model_stays_free() -> None:
    """A cost of zero has no share that a cache could take."""
    columns = page(row(1, session_id="s"), kept(2, candidates=[candidate(propensity=1.0, cost=0.0), two(1.0)[1]]))
    _, priced, _ = ConversationMemory().continued(columns, columns, np.array([1, 0]))
    assert priced.cost[1, 1] == 0.01


def test_rows_without_conversations_are_untouched() -> None:
    """Without a conversation nothing is kept."""
    columns = page(row(1), row(2))
    assert ConversationMemory().continued(columns, columns, np.array([1, 0]))[0] is columns
    mixed = page(row(1), row(2, session_id="s"))
    assert ConversationMemory().continued(mixed, mixed, np.array([1, 0]))[2].tolist() == [1, 0]


def test_memory_is_bounded() -> None:
    """Of too many conversations the oldest is forgotten."""
    columns = page(row(1, session_id="s"), row(2, session_id="t"), kept(3))
    _, _, target = ConversationMemory(most=1).continued(columns, columns, np.array([1, 1, 0]))
    assert target.tolist() == [1, 1, 0]
