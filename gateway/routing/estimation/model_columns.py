"""Column-wise (struct-of-arrays) view of a fixed set of models, built once because most requests share the set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

from gateway.catalog.catalog import Catalog, Model, ModelKey
from gateway.routing.estimation.difficulty import failure_prior


class ModelColumns:
    """`keys`, `tiers`, `priors` and `prior_failure_rates` are in the order of `models`; `index` maps a key to its position.

    `has_strength` says which have a public strength. `strongest` are the places of the models of the highest tier there is.
    A request of at most `least_window` tokens with an answer of at most `least_output` tokens fits every model.
    """

    __slots__ = (
        "_first_price_step",
        "_prices",
        "has_strength",
        "index",
        "keys",
        "least_output",
        "least_window",
        "models",
        "prior_failure_rates",
        "priors",
        "strongest",
        "tiers",
    )

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self.keys = tuple([model.key for model in self.models])
        self.tiers = tuple([model.tier for model in self.models])
        self.priors = tuple([failure_prior(model) for model in self.models])
        self.has_strength = tuple([model.strength is not None for model in self.models])
        self.prior_failure_rates = tuple([prior.rate for prior in self.priors])
        self.index = {key: position for position, key in enumerate(self.keys)}
        highest = max((model.rank for model in self.models), default=0)
        self.strongest = tuple([place for place, model in enumerate(self.models) if model.rank == highest])
        self.least_window = _min_known(model.context_window for model in self.models)
        self.least_output = _min_known(model.max_output for model in self.models)
        self._prices = tuple([(model.input_price, model.output_price) for model in self.models])
        # Above this many prompt tokens some model has a higher price.
        self._first_price_step = _min_known(model.context_prices[0][0] for model in self.models if model.context_prices)

    def list_prices(self, prompt_tokens: Sequence[float], completion_tokens: Sequence[float]) -> list[float]:
        """`Model.estimate` of each model: the list price (USD) of a request of that model's expected size."""
        sizes = zip(prompt_tokens, completion_tokens, strict=True)
        if max(prompt_tokens, default=0.0) > self._first_price_step:
            return [model.estimate(*size) for model, size in zip(self.models, sizes, strict=True)]
        return [
            (prompt * input_ + completion * output) / 1e6
            for (input_, output), (prompt, completion) in zip(self._prices, sizes, strict=True)
        ]


@lru_cache(maxsize=256)  # what is memoised by columns is found again for the same models
def columns_of(catalog: Catalog, keys: tuple[ModelKey, ...]) -> ModelColumns:
    """The columns of some models of a catalogue, in the order of `keys`, from a cache where possible."""
    models = (catalog.get(*key) for key in keys)
    return ModelColumns(model for model in models if model is not None)


def _min_known(limits: Iterable[int | None]) -> float:
    """The smallest limit that is not None; infinity if there is none."""
    return min((limit for limit in limits if limit is not None), default=math.inf)
