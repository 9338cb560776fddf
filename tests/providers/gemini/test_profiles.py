"""Each generation's facts, by model id."""

from __future__ import annotations

import pytest

from gateway.providers.gemini.profiles import BUDGETS, LEVELS, ROWS, GeminiProfile, profile_of
from gateway.providers.reasoning import Reasoning

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gemini-3-flash-preview", ["MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-3.1-flash-lite", ["MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-3-pro-preview", ["LOW", "LOW", "LOW", "HIGH", "HIGH", "HIGH", "HIGH"]),
        ("gemini-3.1-pro-preview", ["LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-3.6-flash", ["MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-3.8-flash-lite", ["MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-3.7-flash", ["LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-3.8-flash", ["LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-flash-latest", ["LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-4-argon", ["LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
        ("gemini-9-unheard-of", ["LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH"]),
    ],
)
def test_effort_becomes_the_next_level_from_gemini_3_on(model: str, levels: list[str]) -> None:
    """From Gemini 3 on effort is a level: the one asked for, else the next higher one, else the highest."""
    assert [profile_of(model).thinking(Reasoning(effort=effort))["thinkingLevel"] for effort in EFFORTS] == levels


@pytest.mark.parametrize(
    ("model", "least"), [("gemini-2.5-pro", 128), ("gemini-2.5-flash", 0), ("gemini-2.5-flash-lite-preview", 0)]
)
def test_effort_becomes_a_token_budget_for_gemini_2_5(model: str, least: int) -> None:
    """Gemini 2.5 takes a budget of tokens, and 2.5 Pro cannot do without thinking."""
    budgets = [profile_of(model).thinking(Reasoning(effort=effort))["thinkingBudget"] for effort in EFFORTS]
    assert budgets == [least, 512, 1024, 8192, 24_576, 24_576, 24_576]


def test_gemini_2_0_is_asked_for_no_thinking() -> None:
    """Gemini 2.0 does not think, so it is not told how much to."""
    assert profile_of("gemini-2.0-flash").thinking(Reasoning(effort="high")) == {}


@pytest.mark.parametrize("effort", EFFORTS)
def test_effort_asks_for_thoughts(effort: str) -> None:
    """Who asks for effort sees the thoughts; without thinking Gemini refuses to be asked for them."""
    for model in ("gemini-2.5-flash", "gemini-3.8-flash"):
        assert profile_of(model).thinking(Reasoning(effort=effort)).get("includeThoughts", False) is (effort != "none")


def test_xhigh_level_is_used_where_known() -> None:
    """A model that knows XHIGH is given it."""
    assert (
        GeminiProfile(levels=frozenset(("LOW", "XHIGH"))).thinking(Reasoning(effort="max"))["thinkingLevel"] == "XHIGH"
    )


@pytest.mark.parametrize(
    ("model", "ids", "signed", "schema", "candidates"),
    [
        ("gemini-2.0-flash", False, False, False, 8),
        ("gemini-2.5-flash", False, False, False, 8),
        ("models/gemini-2.5-pro", False, False, False, 8),
        ("gemini-3-flash-preview", False, True, True, 1),
        ("gemini-3.1-pro-preview", False, True, True, 1),
        ("gemini-3.5-flash", True, True, True, 1),
        ("gemini-3.10-pro", True, True, True, 1),
        ("gemini-4-argon", True, True, True, 1),
        ("gemini-pro-latest", True, True, True, 1),
        ("Gemini-Flash-Lite-Latest", True, True, True, 1),
        ("something-else", True, True, True, 1),
    ],
)
def test_features_differ_by_generation(model: str, ids: bool, signed: bool, schema: bool, candidates: int) -> None:
    """Ids, signatures, schemas beside tools and several candidates come and go with the generations."""
    profile = profile_of(model)
    assert (profile.call_ids, profile.signed_calls, profile.schema_with_tools) == (ids, signed, schema)
    assert profile.max_candidates == candidates


def test_every_row_can_think_at_every_effort() -> None:
    """No row of the table lacks an answer for an effort that clients may ask for."""
    assert {*BUDGETS, "none"} == LEVELS.keys()
    for row in ROWS:
        for effort in LEVELS:
            assert len(row.profile.thinking(Reasoning(effort=effort))) <= 2


@pytest.mark.parametrize(
    ("model", "asked", "config"),
    [
        ("gemini-3.5-flash", Reasoning(budget=2000), {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3.5-flash", Reasoning(budget=10**6, shown=False), {"thinkingLevel": "HIGH"}),
        ("gemini-2.5-flash", Reasoning(budget=2000), {"thinkingBudget": 2000, "includeThoughts": True}),
        ("gemini-2.5-pro", Reasoning(budget=1), {"thinkingBudget": 128, "includeThoughts": True}),
    ],
)
def test_token_budget_is_bounded_or_becomes_a_level(model: str, asked: Reasoning, config: dict[str, object]) -> None:
    """A budget in tokens is kept within the model's limits, or becomes the nearest level; thoughts may be kept back."""
    assert profile_of(model).thinking(asked) == config
