"""What ships with the gateway is there and whole."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.catalog import PriceTable
from gateway.catalog.catalog import TIERS, Pinned
from gateway.catalog.packaged import build_catalog, load_catalog, load_prices, packaged_file
from gateway.errors import ConfigError

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CATALOG = load_catalog(at=NOW)


def test_first_of_each_tier() -> None:
    """The first model of each tier, which routing falls back on, is today's Flash, Haiku and Sonnet."""
    first = {tier: next(model.full_name for model in CATALOG if model.tier == tier) for tier in TIERS}
    assert first == {
        "simple": "gemini/gemini-3.8-flash",
        "moderate": "claude/claude-haiku-5-5",
        "complex": "claude/claude-sonnet-5-5",
    }


def test_every_model_is_described() -> None:
    """Each listed model has a price, limits, abilities and a date, and every provider has one in every tier."""
    for model in CATALOG:
        assert model.input_price > 0, model
        assert model.output_price > model.input_price, model
        assert 0 < (model.max_output or 0) < (model.context_window or 0), model
        assert model.abilities, model
        assert model.created > 1_700_000_000, model
    for provider in ("gemini", "claude", "openrouter"):
        assert {model.tier for model in CATALOG if model.provider == provider} >= {"moderate", "complex"}


def test_prices_are_those_of_the_day() -> None:
    """A catalogue made after an announced rise has the new prices, and tiers by prompt size with both of their prices."""
    later = load_catalog(at=datetime(2027, 1, 1, tzinfo=UTC))
    flash, later_flash = CATALOG.get("gemini", "gemini-3.8-flash"), later.get("gemini", "gemini-3.8-flash")
    haiku = CATALOG.get("claude", "claude-haiku-5-5")
    assert flash is not None
    assert later_flash is not None
    assert haiku is not None
    assert (flash.input_price, later_flash.input_price) == (0.75, 1.5)
    assert haiku.context_prices == ((100_000, 0.5, 2.5),)
    assert (haiku.cache_read_price, haiku.cache_write_price, haiku.cache_write_1h_price) == (0.01, 0.125, 0.2)


@pytest.mark.parametrize(
    ("alias", "provider", "family"),
    [
        ("gemini-flash", "gemini", "flash"),
        ("claude-3-haiku", "claude", "haiku"),
        ("claude-3-sonnet", "claude", "sonnet"),
        ("openrouter/deepseek-chat", "openrouter", "deepseek"),
        ("openrouter/qwen-2-72b", "openrouter", "qwen"),
    ],
)
def test_old_model_names_mean_todays_models(alias: str, provider: str, family: str) -> None:
    """The names of years ago mean today's models of their families."""
    target = CATALOG.resolve(alias)
    assert isinstance(target, Pinned)
    assert target.listed
    assert (target.provider, family in target.model) == (provider, True)


def test_model_without_a_price() -> None:
    """A model that nobody has a price of cannot be compared, so it is refused."""
    rows = {"models": [{"provider": "gemini", "id": "gemini-99", "tier": "simple"}]}
    with pytest.raises(ConfigError, match="gemini/gemini-99: no known price"):
        build_catalog(rows, prices=load_prices(), at=NOW)


def test_unknown_facts_stay_unknown() -> None:
    """A row that says no more than it must makes a model that no need excludes."""
    rows = {"models": [{"provider": "p", "id": "m", "tier": "simple", "prices": {"input": 0.1, "output": 0.2}}]}
    (model,) = build_catalog(rows, prices=PriceTable({}, version="2026-11-22"), at=NOW)
    assert (model.context_window, model.max_output, model.abilities, model.created) == (None, None, None, 0)
    assert Decimal(str(model.output_price)) == Decimal("0.2")


def test_load_catalog_takes_the_present() -> None:
    """Without a time the catalogue is today's."""
    assert len(load_catalog()) == len(CATALOG)


def test_missing_packaged_file_is_named_with_its_places() -> None:
    """A file that the installation lacks is named with the places where it was looked for."""
    with pytest.raises(FileNotFoundError, match=r"absent\.yaml is missing"):
        packaged_file("absent.yaml")
