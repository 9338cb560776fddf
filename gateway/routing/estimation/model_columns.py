"""Column-wise (struct-of-arrays) view of a fixed set of models, built once because most requests share the set."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gateway.catalog.catalog import Model


class ModelColumns:
    """`keys` and `tiers` are in the order of `models`; `index` maps a key to its position.

    A request of at most `least_window` tokens with an answer of at most `least_output` tokens fits every model.
    """

    __slots__ = ("_first_price_step", "_prices", "index", "keys", "least_output", "least_window", "models", "tiers")

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self.keys = tuple([model.key for model in self.models])
        self.tiers = tuple([model.tier for model in self.models])
        self.index = {key: position for position, key in enumerate(self.keys)}
        self.least_window = _min_known(model.context_window for model in self.models)
        self.least_output = _min_known(model.max_output for model in self.models)
        self._prices = tuple([(model.input_price, model.output_price) for model in self.models])
        # Above this many prompt tokens some model has a higher price.
        self._first_price_step = _min_known(model.context_prices[0][0] for model in self.models if model.context_prices)

    def list_prices(self, prompt_tokens: float, completion_tokens: float) -> list[float]:
        """`Model.estimate` of each model: the list price (USD) of a request of this size."""
        if prompt_tokens > self._first_price_step:
            return [model.estimate(prompt_tokens, completion_tokens) for model in self.models]
        return [(prompt_tokens * input_ + completion_tokens * output) / 1e6 for input_, output in self._prices]


def _min_known(limits: Iterable[int | None]) -> float:
    """The smallest limit that is not None; infinity if there is none."""
    return min((limit for limit in limits if limit is not None), default=math.inf)
