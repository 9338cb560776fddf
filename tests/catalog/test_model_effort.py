"""Models at a reasoning effort."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.catalog.catalog import Model
from gateway.catalog.model_effort import DERIVED_ERROR, split_effort
from gateway.catalog.packaged import build_catalog, load_prices
from gateway.catalog.pool import MOST, pool_of
from gateway.catalog.strengths import Strength

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SONNET = "claude/claude-sonnet-5-5"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("claude-sonnet-5-5@low", ("claude-sonnet-5-5", "low")),
        ("openai/gpt-6-luna@none", ("openai/gpt-6-luna", "none")),
        ("claude-sonnet-5-5", ("claude-sonnet-5-5", None)),
        ("claude-sonnet-4-5@20250929", ("claude-sonnet-4-5@20250929", None)),
        ("@low", ("@low", None)),
    ],
)
def test_effort_is_split_from_a_name(name: str, split: tuple[str, str | None]) -> None:
    """Only a known effort after the last `@` is one."""
    assert split_effort(name) == split


def row(**more: Any) -> dict[str, Any]:
    return {"id": "claude-sonnet-5-5", "provider": "claude", "tier": "complex", **more}


def models(strengths: dict[str, Strength], *, prices: dict[str, float] | None = None) -> list[Model]:
    document = {"models": [row(efforts=["low", "high"], prices=prices)]}
    return list(build_catalog(document, prices=load_prices(), at=NOW, strengths=strengths))


def test_low_effort_is_weaker_than_its_model() -> None:
    """Without a figure of its own an effort has its model's strength, less what published figures say that it loses."""
    own = Strength(0.1)
    assert [model.strength for model in models({SONNET: Strength(0.5)})] == [0.5, -0.25, 0.5]
    assert [model.strength_error for model in models({SONNET: Strength(0.5, 0.3)})] == [
        0.3,
        DERIVED_ERROR,
        DERIVED_ERROR,
    ]
    assert [model.strength for model in models({SONNET: Strength(0.5), f"{SONNET}@low": own})] == [0.5, 0.1, 0.5]
    assert [model.strength for model in models({})] == [None, None, None]
    assert models({SONNET: Strength(-9.9)})[1].strength == -10.0


def test_effort_has_the_price_of_its_model() -> None:
    """The snapshot's price, or the row's own, is that of every effort; so is what a request is charged."""
    prices = load_prices()
    assert prices.price("claude", "claude-sonnet-5-5@max", NOW) == prices.price("claude", "claude-sonnet-5-5", NOW)
    assert [model.input_price for model in models({}, prices={"input": 7, "output": 8})] == [7.0, 7.0, 7.0]


def test_effort_stays_in_the_pool() -> None:
    """List prices do not tell what an effort costs, so no cheaper or stronger model rules it out."""
    better = [Model("gemini", f"m{i}", "complex", 0.1, 0.1, strength=2.0) for i in range(MOST)]
    assert [model.name for model in pool_of([*better, *models({SONNET: Strength(0.5)})])] == [
        "m0",
        "claude-sonnet-5-5@low",
        "claude-sonnet-5-5@high",
    ]
