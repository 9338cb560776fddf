"""The pool that `auto` chooses among."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.catalog.catalog import Model, Tier
from gateway.catalog.packaged import load_catalog
from gateway.catalog.pool import MOST, pool_of


def model(name: str, *, price: float, strength: float | None, tier: Tier = "simple") -> Model:
    return Model("gemini", name, tier, price, price, strength=strength)


FIRST = model("first", price=5, strength=-2)
MANY = [FIRST, *[model(f"m{i}", price=1 + i, strength=0.0) for i in range(10)]]


def names(models: list[Model]) -> list[str]:
    return [each.name for each in pool_of(models)]


def test_dominated_models_are_not_routed_to() -> None:
    """Of equals the cheapest stays, of stronger ones those that are worth their price; the first of a tier stays anyhow."""
    strong, weaker = model("strong", price=20, strength=1), model("weaker", price=30, strength=0.75)

    assert names([*MANY, weaker, strong]) == ["first", "m0", "strong"]


def test_models_without_a_strength_stay() -> None:
    """Of a model of which nothing is known, nothing says that another beats it."""
    assert names([*MANY, model("own", price=99, strength=None)]) == ["first", "m0", "own"]


def test_small_catalogue_is_its_own_pool() -> None:
    """Up to eight models all take part."""
    assert names(MANY[:MOST]) == [each.name for each in MANY[:MOST]]


def test_pool_has_at_most_eight_models_the_strongest_among_them() -> None:
    """Where many are worth their price, those that add most strength stay, and the strongest one."""
    ladder = [model(f"l{i}", price=1 + i, strength=-2 + 0.25 * i + (i == 5)) for i in range(12)]

    assert len(pool_of(ladder)) <= MOST
    assert names(ladder)[-1] == "l11"


@pytest.mark.parametrize("providers", [("gemini", "claude", "openrouter"), ("gemini", "claude"), ("openrouter",)])
def test_packaged_pool_is_small(providers: tuple[str, ...]) -> None:
    """Of the packaged catalogue `auto` chooses among five to eight models."""
    catalog = load_catalog(at=datetime(2026, 11, 22, tzinfo=UTC))

    assert 5 <= len(pool_of([each for each in catalog if each.provider in providers])) <= MOST
