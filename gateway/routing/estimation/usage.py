"""How many tokens, and so what cost, to expect of a model: the list price until outcomes say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.catalog.catalog import Model
from gateway.routing.estimation.examples import Key
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.types import Outcome

# Completion tokens expected of a model of which nothing is known.
EXPECTED_OUTPUT = 300
# As many requests' worth of weight has what was expected before.
_PRIOR_WEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class RunningMeans:
    """Over the outcomes of one group: how many, prompt tokens beyond the estimate, and completion tokens."""

    count: float = 0.0
    surplus: float = 0.0
    output: float = 0.0

    def plus(self, *, surplus: float, output: float) -> RunningMeans:
        return RunningMeans(self.count + 1, self.surplus + surplus, self.output + output)

    def shrunk(self, surplus: float, output: float) -> tuple[float, float]:
        """The group's means, drawn towards what is expected where the group is small."""
        weight = self.count + _PRIOR_WEIGHT
        return (
            (self.surplus + _PRIOR_WEIGHT * surplus) / weight,
            (self.output + _PRIOR_WEIGHT * output) / weight,
        )


_NONE = RunningMeans()


@dataclass(frozen=True, slots=True)
class TokenEstimates:
    """Tokens by pattern, and by pattern and model; and by model what was paid over what the list says (caches, other counts)."""

    by_pattern: Mapping[str, RunningMeans] = field(default_factory=dict)
    by_model: Mapping[str, Mapping[Key, RunningMeans]] = field(default_factory=dict)
    paid: Mapping[Key, tuple[float, float]] = field(default_factory=dict)

    def typical(self, pattern: str) -> tuple[float, float]:
        """Of any model: prompt tokens beyond the estimate, and completion tokens."""
        return self.by_pattern.get(pattern, _NONE).shrunk(0.0, EXPECTED_OUTPUT)

    def expected_costs(
        self, columns: ModelColumns, *, pattern: str, tokens: int, max_tokens: int | None
    ) -> list[float]:
        """USD for a prompt of so many tokens, model by model."""
        usual, owns = self.typical(pattern), self.by_model.get(pattern, {})
        costs = columns.listed(*_sized(usual, tokens=tokens, max_tokens=max_tokens))
        for key, own in owns.items():
            if (place := columns.index.get(key)) is not None:
                size = _sized(own.shrunk(*usual), tokens=tokens, max_tokens=max_tokens)
                costs[place] = columns.models[place].estimate(*size)
        for key, (paid, listed) in self.paid.items():
            if (place := columns.index.get(key)) is not None and (cost := costs[place]) > 0:
                weight = _PRIOR_WEIGHT * cost
                costs[place] = cost * (paid + weight) / (listed + weight)
        return costs


def _sized(expected: tuple[float, float], *, tokens: int, max_tokens: int | None) -> tuple[float, float]:
    """Tokens of a prompt and its answer, from the surplus and the answer that are expected."""
    surplus, output = expected
    if max_tokens is not None and max_tokens < output:
        output = max_tokens
    return max(1.0, tokens + surplus), output


class TokenEstimator:
    """Learns a UsageBook outcome by outcome, from one that is known on."""

    def __init__(self, known: TokenEstimates | None = None) -> None:
        known = known or TokenEstimates()
        self._by_pattern = dict(known.by_pattern)
        self._by_model = {pattern: dict(owns) for pattern, owns in known.by_model.items()}
        self._paid = dict(known.paid)

    def learn(self, model: Model, outcome: Outcome, *, pattern: str, tokens: int) -> None:
        key = model.key
        used, output = outcome.input_tokens, outcome.output_tokens
        if used is not None and output is not None:
            surplus = used - tokens if tokens else 0
            self._by_pattern[pattern] = self._by_pattern.get(pattern, _NONE).plus(surplus=surplus, output=output)
            owns = self._by_model.setdefault(pattern, {})
            owns[key] = owns.get(key, _NONE).plus(surplus=surplus, output=output)
        if outcome.cost is not None:
            listed = model.estimate(tokens if used is None else used, EXPECTED_OUTPUT if output is None else output)
            paid, list_price = self._paid.get(key, (0.0, 0.0))
            self._paid[key] = (paid + outcome.cost, list_price + listed)

    def book(self) -> TokenEstimates:
        by_model = {pattern: dict(owns) for pattern, owns in self._by_model.items()}
        return TokenEstimates(by_pattern=dict(self._by_pattern), by_model=by_model, paid=dict(self._paid))
