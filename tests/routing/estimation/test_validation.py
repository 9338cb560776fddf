from __future__ import annotations

import math
from typing import Any

import pytest

from gateway.routing.estimation.validation import stored
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.types import Outcome, RoutingDecision
from tests.routing.worlds import HAIKU, MODERATE, said


def test_hand_made_decisions_are_read_from_their_prompt() -> None:
    """Labelled data needs a prompt and a model, nothing else."""
    facts = prompt_facts(MODERATE)

    made = stored(said(HAIKU, MODERATE), Outcome(quality=1, cost=0.5, input_tokens=10, output_tokens=20, latency=1.5))

    assert (made.provider, made.model, made.pattern) == ("claude", HAIKU.name, facts.pattern)
    assert made.features == facts.features
    assert (made.quality, made.cost, made.input_tokens, made.output_tokens, made.latency) == (1.0, 0.5, 10, 20, 1.5)


def test_routed_decisions_bring_their_features() -> None:
    """What was decided on is stored, and nothing that is text."""
    metadata = {"pattern": "code", "complexity": 0.4, "features": {"length": 1, "text": "secret"}, "prompt": MODERATE}
    decision = RoutingDecision("claude", "x", "low", "hybrid", "", metadata=metadata)

    made = stored(decision, Outcome(error="upstream_timeout"))

    assert (made.pattern, made.complexity, made.features) == ("code", 0.4, {"length": 1.0})
    assert made.error == "upstream_timeout"


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("quality", -0.1),
        ("quality", 1.1),
        ("quality", math.nan),
        ("cost", -1),
        ("cost", math.inf),
        ("cost", 1e9),
        ("latency", -1),
        ("input_tokens", -1),
        ("output_tokens", math.nan),
        ("output_tokens", 1e15),
    ],
)
def test_figures_that_cannot_be_are_refused(figure: str, value: float) -> None:
    """Negative, absurd and missing numbers never reach what is learned; the error names the figure."""
    wrong: dict[str, Any] = {figure: value}
    with pytest.raises(ValueError, match=figure):
        stored(said(HAIKU, MODERATE), Outcome(**wrong))


@pytest.mark.parametrize(
    ("provider", "model", "metadata", "wrong"),
    [
        ("claude", "x", {}, "prompt"),
        ("claude", "x", None, "prompt"),
        ("claude", "x", {"prompt": 3}, "prompt"),
        ("", "x", {"prompt": "Hi"}, "provider"),
        ("claude", None, {"prompt": "Hi"}, "model"),
    ],
)
def test_decisions_that_say_too_little_are_refused(provider: Any, model: Any, metadata: Any, wrong: str) -> None:
    """Without a model, or a prompt or features, there is nothing to learn for."""
    with pytest.raises(ValueError, match=wrong):
        stored(RoutingDecision(provider, model, "low", "learning", "", metadata=metadata), Outcome(quality=1.0))
