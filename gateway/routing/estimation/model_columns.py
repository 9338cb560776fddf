"""Models that are considered together, in columns: most requests consider the same ones, and a column is read faster than its models."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gateway.catalog.catalog import Model


class ModelColumns:
    """In the order given. A request of at most `least_window` tokens, its answer of at most `least_output`, fits all of them.

    `keys`, `tiers` and `places` (each key's place in the order) are those of `models`.
    """

    __slots__ = ("_prices", "_stepped", "index", "keys", "least_output", "least_window", "models", "tiers")

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self.keys = tuple([model.key for model in self.models])
        self.tiers = tuple([model.tier for model in self.models])
        self.index: dict[tuple[str, str], int] = {key: place for place, key in enumerate(self.keys)}
        self.least_window = _least(model.context_window for model in self.models)
        self.least_output = _least(model.max_output for model in self.models)
        self._prices = tuple([(model.input_price, model.output_price) for model in self.models])
        # Prompts of more tokens cost some model's higher price.
        self._stepped = _least(model.context_prices[0][0] for model in self.models if model.context_prices)

    def listed(self, prompt_tokens: float, completion_tokens: float) -> list[float]:
        """Each model's list price of such a request, USD; as `Model.estimate`."""
        if prompt_tokens > self._stepped:
            return [model.estimate(prompt_tokens, completion_tokens) for model in self.models]
        return [(prompt_tokens * input_ + completion_tokens * output) / 1e6 for input_, output in self._prices]


def _least(limits: Iterable[int | None]) -> float:
    """Of those that are known."""
    return min((limit for limit in limits if limit is not None), default=math.inf)
