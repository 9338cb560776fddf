"""The known truth: difficulty of prompts and quality of models."""

from __future__ import annotations

from statistics import mean

import pytest

from llm_simulator.quality import answer_quality, difficulty, strength, topic

EASY = [f"Hello number {n}" for n in range(40)]
HARD = [f"Analyze the architectural trade-offs between design {n} and prove the algorithm optimal" for n in range(40)]


def quality(model: str, prompts: list[str]) -> float:
    return mean(answer_quality(model, prompt) for prompt in prompts)


def test_difficulty_orders_prompts() -> None:
    """A greeting is easier than an explanation, and that is easier than an analysis."""
    assert difficulty("Hello") < difficulty("Explain how HTTP works") < difficulty(HARD[0]) <= 1


def test_structure_and_length_count() -> None:
    """Code and long texts are harder, and a very long one is no slower than its ends."""
    assert difficulty("x\n" * 20) > difficulty("x ")
    assert difficulty("word " * 400_000) <= 1


@pytest.mark.parametrize(
    ("model", "other"),
    [
        ("gemini-2.5-flash-lite", "gemini-3.8-flash"),
        ("gemini-3.8-flash", "gemini-3.1-pro-preview"),
        ("claude-haiku-4-5", "claude-sonnet-5"),
        ("claude-sonnet-5", "claude-opus-5-5"),
        ("claude-opus-5-5", "claude-fable-5-2"),
        ("openai/gpt-5-nano", "openai/gpt-5.4"),
    ],
)
def test_strength_orders_models(model: str, other: str) -> None:
    """Within a family the dearer model is the stronger."""
    assert strength(model) < strength(other)


def test_unknown_model_is_middling() -> None:
    """A model of no known family has a strength too."""
    assert 0.4 < strength("somebody/something") < 0.8


def test_weak_models_do_easy_prompts_well() -> None:
    """On easy prompts all are good; on hard ones only strong models are."""
    assert quality("gemini-2.5-flash-lite", EASY) > 0.85
    assert quality("claude-opus-5-5", EASY) > 0.9
    assert quality("gemini-2.5-flash-lite", HARD) < 0.5
    assert quality("claude-opus-5-5", HARD) > 0.75


def test_quality_is_repeatable() -> None:
    """Same model, prompt and seed: same quality; another seed moves it a little."""
    assert answer_quality("m", "p", 1) == answer_quality("m", "p", 1)
    assert 0 < abs(answer_quality("m", "p", 1) - answer_quality("m", "p", 2)) < 0.1


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("def f(): a bug", "code"),
        ("2 + 2", "math"),
        ("Translate this", "language"),
        ("A haiku", "creative"),
        ("Hello", "general"),
    ],
)
def test_prompt_has_a_topic(prompt: str, expected: str) -> None:
    """A prompt has a topic, for which models have their bents."""
    assert topic(prompt) == expected
