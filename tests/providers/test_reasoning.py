"""What clients ask for of reasoning."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.providers.reasoning import Reasoning, asked_reasoning


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({}, None),
        ({"reasoning": {}}, None),
        ({"reasoning_effort": "high"}, Reasoning(effort="high")),
        ({"reasoning": {"effort": "low", "exclude": True}}, Reasoning(effort="low", shown=False)),
        ({"reasoning_effort": "high", "reasoning": {"effort": "low"}}, Reasoning(effort="high")),
        ({"reasoning_effort": "low", "include_reasoning": False}, Reasoning(effort="low", shown=False)),
        ({"reasoning_effort": "low", "include_reasoning": True}, Reasoning(effort="low")),
        ({"include_reasoning": False}, None),
        ({"reasoning": {"enabled": False}}, Reasoning(effort="none")),
        ({"reasoning": {"max_tokens": 0}}, Reasoning(effort="none")),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(budget=2000)),
        ({"reasoning": {"enabled": True}}, Reasoning(effort="medium")),
    ],
    ids=str,
)
def test_openais_effort_wins_over_openrouters_object(body: dict[str, Any], asked: Reasoning | None) -> None:
    """OpenAI's level wins over OpenRouter's object; a budget is kept; nothing said is nothing asked."""
    assert asked_reasoning(body) == asked
    assert asked is None or asked.off is (asked.effort == "none")


@pytest.mark.parametrize(
    "told", [{"effort": "huge"}, {"max_tokens": -1}, {"max_tokens": True}, {"max_tokens": "9"}], ids=str
)
def test_impossible_effort_is_refused_by_name(told: dict[str, Any]) -> None:
    """An unknown level or an impossible budget is refused by its field's name."""
    with pytest.raises(InvalidRequest) as caught:
        asked_reasoning({"reasoning": told})
    assert caught.value.param == f"reasoning.{next(iter(told))}"
