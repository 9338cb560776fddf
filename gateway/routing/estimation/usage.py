"""Expected tokens and cost of a request: list prices and token counts, corrected by what the outcomes say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import NamedTuple

from gateway.catalog import ModelKey
from gateway.catalog.catalog import Model
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.types import Outcome

# Completion tokens expected before any outcome.
EXPECTED_OUTPUT = 300
# The pseudo-count of a prior, in requests.
_PRIOR_COUNT = 10.0
# How many combinations of models and pattern a snapshot keeps the expected sizes of.
_MEMOISED = 128


@dataclass(frozen=True, slots=True)
class RunningMeans:
    """Sums over `count` outcomes: prompt tokens minus their estimate (`surplus`) and completion tokens (`output`)."""

    count: float = 0.0
    surplus: float = 0.0
    output: float = 0.0

    def plus(self, *, surplus: float, output: float) -> RunningMeans:
        return RunningMeans(self.count + 1, self.surplus + surplus, self.output + output)

    def shrunk(self, surplus: float, output: float) -> tuple[float, float]:
        """Both means, shrunk towards these priors."""
        weight = self.count + _PRIOR_COUNT
        return (
            (self.surplus + _PRIOR_COUNT * surplus) / weight,
            (self.output + _PRIOR_COUNT * output) / weight,
        )


_NONE = RunningMeans()


@dataclass(frozen=True, slots=True)
class TokenEstimates:
    """Token means by pattern, and by pattern and model. `paid` has for each model the sums (USD) of actual costs and of list prices.

    Actual costs differ from list prices through prompt caches and the vendors' token counts.
    """

    by_pattern: Mapping[str, RunningMeans] = field(default_factory=dict)
    by_model: Mapping[str, Mapping[ModelKey, RunningMeans]] = field(default_factory=dict)
    paid: Mapping[ModelKey, tuple[float, float]] = field(default_factory=dict)

    _sizes: Callable[[ModelColumns, str], _SizeColumns] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sizes_of = partial(_size_columns, self.by_pattern, self.by_model, self.paid)
        object.__setattr__(self, "_sizes", lru_cache(maxsize=_MEMOISED)(sizes_of))

    def expected_costs(
        self, columns: ModelColumns, *, pattern: str, tokens: int, max_tokens: int | None
    ) -> list[float]:
        """USD for each model, in the order of the columns. `tokens` is the estimated size of the prompt."""
        surpluses, outputs, paid = self._sizes(columns, pattern)
        if max_tokens is not None:
            outputs = [max_tokens if max_tokens < output else output for output in outputs]
        sizes = [tokens + surplus for surplus in surpluses]
        prompts = [size if size > 1.0 else 1.0 for size in sizes]
        costs = columns.list_prices(prompts, outputs)
        for place, (paid_sum, list_sum) in paid:
            cost = costs[place]
            if cost > 0:
                prior = _PRIOR_COUNT * cost
                costs[place] = cost * (paid_sum + prior) / (list_sum + prior)
        return costs


class _SizeColumns(NamedTuple):
    """For each model and prompts of one pattern: prompt tokens beyond their estimate, and completion tokens; by place, what was paid."""

    surpluses: Sequence[float]
    outputs: Sequence[float]
    paid: Sequence[tuple[int, tuple[float, float]]]


def _size_columns(
    by_pattern: Mapping[str, RunningMeans],
    by_model: Mapping[str, Mapping[ModelKey, RunningMeans]],
    paid: Mapping[ModelKey, tuple[float, float]],
    columns: ModelColumns,
    pattern: str,
) -> _SizeColumns:
    """Each model's means are shrunk towards those of all models, these towards 300 tokens."""
    typical = by_pattern.get(pattern, _NONE).shrunk(0.0, EXPECTED_OUTPUT)
    means = by_model.get(pattern, {})
    sizes = [means[key].shrunk(*typical) if key in means else typical for key in columns.keys]
    return _SizeColumns(
        surpluses=[surplus for surplus, _ in sizes],
        outputs=[output for _, output in sizes],
        paid=[(place, paid[key]) for place, key in enumerate(columns.keys) if key in paid],
    )


class TokenEstimator:
    """Updates TokenEstimates with one outcome at a time."""

    def __init__(self, estimates: TokenEstimates | None = None) -> None:
        estimates = estimates or TokenEstimates()
        self._by_pattern = dict(estimates.by_pattern)
        self._by_model = {pattern: dict(by_model) for pattern, by_model in estimates.by_model.items()}
        self._paid = dict(estimates.paid)

    def learn(self, model: Model, outcome: Outcome, *, pattern: str, tokens: int) -> None:
        """`tokens` is the estimated size of the prompt, 0 if unknown."""
        key = model.key
        used, output = outcome.input_tokens, outcome.output_tokens
        if used is not None and output is not None:
            surplus = used - tokens if tokens else 0
            self._by_pattern[pattern] = self._by_pattern.get(pattern, _NONE).plus(surplus=surplus, output=output)
            by_model = self._by_model.setdefault(pattern, {})
            by_model[key] = by_model.get(key, _NONE).plus(surplus=surplus, output=output)
        if outcome.cost is not None:
            list_price = model.estimate(tokens if used is None else used, EXPECTED_OUTPUT if output is None else output)
            paid_sum, list_sum = self._paid.get(key, (0.0, 0.0))
            self._paid[key] = (paid_sum + outcome.cost, list_sum + list_price)

    def estimates(self) -> TokenEstimates:
        by_model = {pattern: dict(means) for pattern, means in self._by_model.items()}
        return TokenEstimates(by_pattern=dict(self._by_pattern), by_model=by_model, paid=dict(self._paid))
