"""The sentence about a rule whose models are in an odd order of price."""

from __future__ import annotations

from gateway.catalog import Model
from gateway.savings.baseline_note import odd_baseline

FLASH = Model(provider="gemini", name="flash", tier="simple", input_price=0.75, output_price=3.75)
HAIKU = Model(provider="claude", name="haiku", tier="moderate", input_price=0.1, output_price=0.5)
SONNET = Model(provider="claude", name="sonnet", tier="complex", input_price=2, output_price=10)
FREE = Model(provider="claude", name="free", tier="complex", input_price=0, output_price=0)


def test_a_simple_model_that_costs_more_is_odd() -> None:
    assert odd_baseline({"simple": FLASH, "moderate": HAIKU, "complex": SONNET}) == (
        "The rule baseline is odd at today's prices: for simple prompts it takes gemini/flash, "
        "which costs 7.5 times as much as claude/haiku, its choice for moderate prompts."
    )


def test_ascending_prices_are_not_odd() -> None:
    """Without a model in a tier, or with a free one, there is nothing to compare."""
    assert odd_baseline({"simple": HAIKU, "moderate": FLASH, "complex": SONNET}) is None
    assert odd_baseline({"simple": FLASH, "complex": FREE}) is None
