from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prompt.complexity import score_complexity, tier_of
from tests.routing.worlds import COMPLEX, MODERATE, SIMPLE


@pytest.mark.parametrize(
    ("prompt", "tier"),
    [
        (SIMPLE, "simple"),
        ("", "simple"),
        ("What is the capital of France?", "simple"),
        ("Thanks, bye!", "simple"),
        ("你好", "simple"),
        (MODERATE, "moderate"),
        ("Explique cómo funciona HTTP", "moderate"),
        ("Erkläre, wie HTTP funktioniert", "moderate"),
        ("解释 HTTP 是如何工作的", "moderate"),
        ("Write a Python function to reverse a string", "moderate"),
        (COMPLEX, "complex"),
        ("分析微服务架构与单体架构之间的权衡，并设计一个迁移策略", "complex"),
        ("Design a distributed rate limiter with consistency guarantees and analyze its failure modes", "complex"),
    ],
)
def test_prompts_have_the_tier_a_person_would_give_them(prompt: str, tier: str) -> None:
    """Greetings and lookups are simple, explanations and small code moderate, analysis and design complex, in any language."""
    assert tier_of(score_complexity(prompt)) == tier


@pytest.mark.parametrize(
    ("score", "tier"), [(0.0, "simple"), (0.2999, "simple"), (0.3, "moderate"), (0.6999, "moderate"), (0.7, "complex")]
)
def test_tiers_begin_at_their_limits(score: float, tier: str) -> None:
    """Below 0.3 is simple, below 0.7 moderate, the rest complex."""
    assert tier_of(score) == tier


@given(st.text(st.characters(), max_size=400))
def test_score_is_a_share_and_repeatable(prompt: str) -> None:
    """Any text scores from 0 to 1, the same each time."""
    score = score_complexity(prompt)

    assert 0.0 <= score <= 1.0
    assert score_complexity(prompt) == score


def test_huge_prompts_are_scored() -> None:
    """Ten megabytes of one line are scored from their ends."""
    assert score_complexity("(" * 10_000_000) < 0.7
