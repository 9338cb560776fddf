"""Catalogues, contexts and estimates that the routing tests share."""

from __future__ import annotations

from gateway.catalog.catalog import Catalog, Model
from gateway.routing.estimation.estimates import Estimate
from gateway.routing.strategies.scored_models import ScoredModel
from gateway.routing.types import Confidence, RoutingDecision

FLASH = Model(provider="gemini", name="gemini-9-flash", tier="simple", input_price=0.1, output_price=0.4)
HAIKU = Model(provider="claude", name="claude-haiku-9", tier="moderate", input_price=1, output_price=5)
SONNET = Model(provider="claude", name="claude-sonnet-9", tier="complex", input_price=3, output_price=15)
THREE = Catalog([FLASH, HAIKU, SONNET], aliases={"claude-3-haiku": "claude/claude-haiku-9"})

SIMPLE = "Hello"
MODERATE = "Explain how HTTP works"
COMPLEX = "Analyze the architectural trade-offs between " * 10


def scored(
    model: Model,
    *,
    quality: float = 0.8,
    cost: float = 0.001,
    outcomes: int = 0,
    confidence: Confidence = "low",
    spread: float = 0.2,
    cooling: bool = False,
    tried: bool = True,
) -> ScoredModel:
    estimate = Estimate(quality=quality, std=spread, outcomes=outcomes, confidence=confidence, has_outcomes=tried)
    return ScoredModel(model=model, estimate=estimate, cost=cost, cooling=cooling)


def said(model: Model, prompt: str) -> RoutingDecision:
    """A hand-made decision, as for labelled data."""
    return RoutingDecision(model.provider, model.name, "low", "learning", "labelled", metadata={"prompt": prompt})
