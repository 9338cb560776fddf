"""The table of models."""

from __future__ import annotations

import pytest
from genai_prices import data

from llm_simulator.models import CLAUDE, OPENROUTER_ID, OPENROUTER_VENDORS, openrouter_serves

THINKING = [
    ("claude-sonnet-4-5", ("enabled", "disabled")),
    ("claude-opus-4-6", ("enabled", "adaptive", "disabled")),
    ("claude-opus-5", ("adaptive", "disabled")),
    ("claude-sonnet-5-5", ("adaptive", "between_tools")),
    ("claude-haiku-5-5", ("adaptive", "disabled", "between_tools")),
    ("claude-opus-5-5", ("adaptive",)),
    ("claude-fable-5-2", ("adaptive",)),
]


@pytest.mark.parametrize(("model", "modes"), THINKING)
def test_each_generation_has_its_thinking_modes(model: str, modes: tuple[str, ...]) -> None:
    """Each generation has its thinking modes."""
    assert CLAUDE[model].thinking == modes


def test_smallest_cached_prompt_depends_on_the_model() -> None:
    """The smallest cached prompt depends on the model."""
    assert [CLAUDE[name].least_cached for name in ("claude-haiku-4-5", "claude-sonnet-5", "claude-haiku-5-5")] == [
        4096,
        1024,
        512,
    ]


def test_every_priced_openrouter_model_is_served() -> None:
    """Each `vendor/model` of the price list is plausible here."""
    listed = next(provider for provider in data.providers if provider.id == "openrouter").models
    ids = [model.id for model in listed if "/" in model.id]
    assert len(ids) > 500
    assert [name for name in ids if not openrouter_serves(name)] == []


@pytest.mark.parametrize("name", ["gpt-4o", "openai/nope", "nobody/gpt-5", "openai/", "openai/gpt 5", "openai/gpt/5"])
def test_made_up_models(name: str) -> None:
    """Ids without vendor, of unknown vendors or with made-up names are not served."""
    assert not openrouter_serves(name)


def test_vendors_are_legal() -> None:
    """Each vendor fits into an id."""
    assert all(OPENROUTER_ID.fullmatch(f"{vendor}/x") for vendor in OPENROUTER_VENDORS)
