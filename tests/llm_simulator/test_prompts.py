"""What simulated people ask."""

from __future__ import annotations

from collections import Counter

from gateway.routing.prompt.patterns import identify_pattern
from llm_simulator.prompts import KINDS, random_prompt
from llm_simulator.quality import difficulty
from llm_simulator.seeded_random import SeededRandom


def test_wishes_are_drawn() -> None:
    """The same dice wish the same, other dice something else, and hardly anything is asked twice."""
    wishes = [random_prompt(SeededRandom("test", number)) for number in range(500)]
    assert wishes == [random_prompt(SeededRandom("test", number)) for number in range(500)]
    assert len({each.prompt for each in wishes}) > 480
    assert sum(KINDS.values()) == 100


def test_wishes_are_easy_and_hard() -> None:
    """They are of all degrees of difficulty and several patterns, some with tools, some with a schema."""
    wishes = [random_prompt(SeededRandom("test", number)) for number in range(500)]
    degrees = Counter(int(3 * difficulty(each.prompt)) for each in wishes)
    assert all(degrees[degree] > 20 for degree in (0, 1, 2))
    assert len({identify_pattern(each.prompt) for each in wishes}) > 3
    assert {name for each in wishes for name in each.body} == {"tools", "response_format"}
