from __future__ import annotations

import math

import pytest

from gateway.catalog.catalog import Model
from gateway.routing.estimation.model_columns import ModelColumns
from tests.routing.worlds import FLASH, SONNET

STEPPED = Model("gemini", "pro", "complex", 1, 5, context_prices=((1000, 2, 8),), context_window=9000, max_output=100)


def test_columns_are_in_the_models_order() -> None:
    """Keys, tiers and places are those of the models as they were given."""
    columns = ModelColumns([SONNET, FLASH])

    assert columns.models == (SONNET, FLASH)
    assert columns.keys == (SONNET.key, FLASH.key)
    assert columns.tiers == ("complex", "simple")
    assert columns.index == {SONNET.key: 0, FLASH.key: 1}


@pytest.mark.parametrize("tokens", [10, 1000, 1001])
def test_list_prices_are_the_models_own(tokens: int) -> None:
    """Also for prompts so large that a model's price is a higher one."""
    columns = ModelColumns([FLASH, STEPPED])

    assert columns.list_prices([tokens, tokens], [300, 300]) == [
        FLASH.estimate(tokens, 300),
        STEPPED.estimate(tokens, 300),
    ]


def test_unknown_limits_bound_nothing() -> None:
    """The least limits are those of the models that have any."""
    assert (ModelColumns([FLASH]).least_window, ModelColumns([FLASH]).least_output) == (math.inf, math.inf)
    assert (ModelColumns([FLASH, STEPPED]).least_window, ModelColumns([FLASH, STEPPED]).least_output) == (9000, 100)
