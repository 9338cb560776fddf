"""What is known of a model by its id."""

from __future__ import annotations

import pytest

from gateway.providers.claude.profiles import NEWEST, ClaudeProfile, profile_of
from llm_simulator.models import CLAUDE


@pytest.mark.parametrize(
    ("model", "facts"),
    [
        ("claude-3-haiku-20240307", {"max_output": 4_096, "thinking": "none", "structured_output": False}),
        ("claude-3-5-haiku-latest", {"max_output": 8_192, "thinking": "none", "temperature_with_top_p": True}),
        ("claude-3-7-sonnet-20250219", {"max_output": 64_000, "thinking": "manual"}),
        ("claude-sonnet-4-20250514", {"max_output": 64_000, "thinking": "manual", "structured_output": False}),
        ("claude-opus-4-1@20250805", {"max_output": 32_000, "temperature_with_top_p": False}),
        ("claude-haiku-4-5-20251001", {"max_output": 64_000, "thinking": "manual", "prefill": True, "efforts": ()}),
        ("claude-opus-4-5@20251101", {"thinking": "manual", "thinking_off": "omit", "structured_output": True}),
        ("claude-sonnet-4-6", {"thinking": "adaptive", "thinking_off": "omit", "sampling": True, "prefill": False}),
        ("claude-opus-4-6", {"efforts": ("low", "medium", "high", "max"), "hides_thinking": False}),
        (
            "claude-opus-4-7",
            {"sampling": False, "thinking_off": "disabled", "hides_thinking": True, "system_turns": False},
        ),
        ("claude-opus-4-8", {"system_turns": True, "thinks_unasked": False, "max_output": 128_000}),
        ("claude-mythos-preview", {"thinking_off": "least", "forced_tools": True}),
        ("claude-fable-5", {"thinking_off": "least", "forced_tools": True, "system_turns": False}),
        ("claude-fable-5-2", {"forced_tools": False}),
        ("claude-opus-5", {"thinking_off": "disabled", "thinks_unasked": True, "system_turns": True}),
        ("claude-sonnet-5-20260630", {"thinking_off": "disabled", "forced_tools": True, "system_turns": False}),
        ("claude-opus-5-5", {"thinking_off": "least", "forced_tools": False}),
        ("claude-sonnet-5-5@20260928", {"thinking_off": "between_tools", "forced_tools": False}),
        ("claude-sonnet-5.5", {"thinking_off": "between_tools"}),
        ("claude-haiku-5-5", {"thinking_off": "least", "forced_tools": True}),
        ("Claude-Sonnet-6", {"thinking_off": "between_tools"}),
    ],
)
def test_each_generation_has_its_profile_however_spelled(model: str, facts: dict[str, object]) -> None:
    """Each generation has its own rules, whichever way its id is spelled or dated."""
    profile = profile_of(model)
    assert {name: getattr(profile, name) for name in facts} == facts


@pytest.mark.parametrize("model", ["claude-opus-7", "claude-saga-1", "claude-opus-latest", "claude-next", "gpt-5", ""])
def test_unknown_model_gets_the_newest_profile(model: str) -> None:
    """A model that is not known yet is taken for the newest."""
    assert profile_of(model) == NEWEST


@pytest.mark.parametrize("known", CLAUDE.values(), ids=lambda known: known.id)
def test_profile_agrees_with_the_simulator(known: object) -> None:
    """What the profile allows is what the strict simulator of that model takes."""
    model = CLAUDE[getattr(known, "id", "")]
    profile: ClaudeProfile = profile_of(model.id)
    assert profile.max_output == model.max_output
    assert profile.sampling == model.sampling
    assert profile.prefill == model.prefill
    assert profile.least_cached >= model.least_cached
    assert set(profile.efforts) <= set(model.efforts)
    assert {"manual": "enabled", "adaptive": "adaptive"}[profile.thinking] in model.thinking
    assert profile.thinking_off in ("omit", "least", *model.thinking)
    assert not (profile.system_turns and not model.system_turns)
