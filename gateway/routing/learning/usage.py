"""How many tokens, and so what cost, to expect of a model: the list price until outcomes say otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.catalog import Model
from gateway.routing.models import Outcome

# Completion tokens expected of a model of which nothing is known.
EXPECTED_OUTPUT = 300
# As many requests' worth of weight has what was expected before.
_PRIOR_WEIGHT = 10.0

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sums:
    """Over the outcomes of one group: how many, prompt tokens beyond the estimate, and completion tokens."""

    count: float = 0.0
    surplus: float = 0.0
    output: float = 0.0

    def plus(self, *, surplus: float, output: float) -> Sums:
        return Sums(self.count + 1, self.surplus + surplus, self.output + output)

    def shrunk(self, surplus: float, output: float) -> tuple[float, float]:
        """The group's means, drawn towards what is expected where the group is small."""
        weight = self.count + _PRIOR_WEIGHT
        return (
            (self.surplus + _PRIOR_WEIGHT * surplus) / weight,
            (self.output + _PRIOR_WEIGHT * output) / weight,
        )


_NONE = Sums()


@dataclass(frozen=True, slots=True)
class UsageBook:
    """Tokens by pattern, and by pattern and model; and by model what was paid over what the list says (caches, other counts)."""

    by_pattern: Mapping[str, Sums] = field(default_factory=dict)
    by_model: Mapping[str, Mapping[Key, Sums]] = field(default_factory=dict)
    paid: Mapping[Key, tuple[float, float]] = field(default_factory=dict)

    def usual(self, pattern: str) -> tuple[float, float]:
        """Of any model: prompt tokens beyond the estimate, and completion tokens."""
        return self.by_pattern.get(pattern, _NONE).shrunk(0.0, EXPECTED_OUTPUT)

    def expected_cost(self, *, pattern: str, tokens: int, max_tokens: int | None) -> Callable[[Model], float]:
        """USD for a prompt of so many tokens, model by model; what is the same for all models is worked out once."""
        usual, owns = self.usual(pattern), self.by_model.get(pattern, {})

        def cost(model: Model) -> float:
            surplus, output = usual
            if own := owns.get(model.key):
                surplus, output = own.shrunk(surplus, output)
            if max_tokens is not None and max_tokens < output:
                output = max_tokens
            listed = model.estimate(max(1.0, tokens + surplus), output)
            paid = self.paid.get(model.key)
            if paid is None or listed <= 0:
                return listed
            weight = _PRIOR_WEIGHT * listed
            return listed * (paid[0] + weight) / (paid[1] + weight)

        return cost


class UsageLedger:
    """Learns a UsageBook outcome by outcome, from one that is known on."""

    def __init__(self, known: UsageBook | None = None) -> None:
        known = known or UsageBook()
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

    def book(self) -> UsageBook:
        by_model = {pattern: dict(owns) for pattern, owns in self._by_model.items()}
        return UsageBook(by_pattern=dict(self._by_pattern), by_model=by_model, paid=dict(self._paid))
