"""The models that can be routed to: tier, limits, abilities and list prices of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Tier = Literal["simple", "moderate", "complex"]
TIERS: tuple[Tier, ...] = get_args(Tier)

# What a request may need of a model, and a model may be listed with (`n`: several choices at once).
ABILITIES = frozenset({"tools", "vision", "audio", "pdf", "json_schema", "reasoning", "sampling", "n", "logprobs"})


@dataclass(frozen=True, slots=True)
class Model:
    """One model as routing sees it. Prices are USD per million tokens; limits are tokens.

    `name` is the provider's own id. An unknown limit (None) or unknown abilities (None) never exclude a model.
    `context_prices` are `(prompt tokens above which, input price, output price)`, rising.
    """

    provider: str
    name: str
    tier: Tier
    input_price: float
    output_price: float
    cache_read_price: float | None = None
    cache_write_price: float | None = None
    cache_write_1h_price: float | None = None
    context_prices: tuple[tuple[int, float, float], ...] = ()
    context_window: int | None = None
    max_output: int | None = None
    abilities: frozenset[str] | None = None
    created: int = 0

    @property
    def full_name(self) -> str:
        """The name clients use: `gemini/...`, `claude/...`, `openrouter/<vendor>/...`."""
        return f"{self.provider}/{self.name}"

    @property
    def rank(self) -> int:
        """0, 1, 2 for simple, moderate, complex."""
        return TIERS.index(self.tier)

    def estimate(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Expected list price in USD of a request of that size, nothing cached."""
        input_price, output_price = self.input_price, self.output_price
        for above, tier_input, tier_output in self.context_prices:
            if prompt_tokens > above:
                input_price, output_price = tier_input, tier_output
        return (prompt_tokens * input_price + completion_tokens * output_price) / 1e6

    def can(self, needs: Iterable[str]) -> bool:
        """Whether it can do all of `needs` (names in ABILITIES), as far as is known."""
        return self.abilities is None or self.abilities.issuperset(needs)


class Catalog:
    """An ordered, immutable set of models, found by (provider, name)."""

    def __init__(self, models: Iterable[Model], *, aliases: dict[str, str] | None = None) -> None:
        self._models = tuple(models)
        self._by_key = {(model.provider, model.name): model for model in self._models}
        self.aliases: dict[str, str] = dict(aliases or {})

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def get(self, provider: str, name: str) -> Model | None:
        return self._by_key.get((provider, name))

    @property
    def providers(self) -> tuple[str, ...]:
        """In order of first appearance."""
        return tuple(dict.fromkeys(model.provider for model in self._models))
