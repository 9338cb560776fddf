"""Expected tokens and cost of a request: list prices and token counts, corrected by what the outcomes say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.catalog import ModelKey
from gateway.catalog.catalog import Model
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.types import Outcome

# Completion tokens expected before any outcome.
EXPECTED_OUTPUT = 300
# The pseudo-count of a prior, in requests.
_PRIOR_COUNT = 10.0


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

    def typical(self, pattern: str) -> tuple[float, float]:
        """The means over all models: prompt tokens minus their estimate, and completion tokens."""
        return self.by_pattern.get(pattern, _NONE).shrunk(0.0, EXPECTED_OUTPUT)

    def expected_costs(
        self, columns: ModelColumns, *, pattern: str, tokens: int, max_tokens: int | None
    ) -> list[float]:
        """USD for each model, in the order of the columns. `tokens` is the estimated size of the prompt."""
        typical, by_model = self.typical(pattern), self.by_model.get(pattern, {})
        costs = columns.list_prices(*_request_size(typical, tokens=tokens, max_tokens=max_tokens))
        for key, means in by_model.items():
            if (index := columns.index.get(key)) is not None:
                size = _request_size(means.shrunk(*typical), tokens=tokens, max_tokens=max_tokens)
                costs[index] = columns.models[index].estimate(*size)
        for key, (paid, list_price) in self.paid.items():
            if (index := columns.index.get(key)) is not None and (cost := costs[index]) > 0:
                prior = _PRIOR_COUNT * cost
                costs[index] = cost * (paid + prior) / (list_price + prior)
        return costs


def _request_size(means: tuple[float, float], *, tokens: int, max_tokens: int | None) -> tuple[float, float]:
    """Expected prompt and completion tokens, from the means of the surplus and of the output."""
    surplus, output = means
    if max_tokens is not None and max_tokens < output:
        output = max_tokens
    return max(1.0, tokens + surplus), output


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
