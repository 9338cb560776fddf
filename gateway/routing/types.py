"""What goes into a routing decision and what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Confidence = Literal["high", "medium", "low"]
CONFIDENCES: frozenset[str] = frozenset({"high", "medium", "low"})


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """What was read of one request: `tokens` is the whole prompt's size; `features` are numbers by name, `vector` the same in order."""

    prompt: str
    pattern: str
    complexity: float
    tokens: int
    features: Mapping[str, float]
    vector: tuple[float, ...]


@dataclass(slots=True)
class RoutingContext:
    """What a strategy may know of a request besides the prompt.

    `prompt` is the newest human turn. `max_cost` bounds the expected cost in USD, `min_quality` the expected quality (0 to 1).
    `needs` are names in `catalog.ABILITIES`. `prompt_tokens` is the whole prompt's size (None: estimated from `prompt`),
    `max_tokens` what the client asked for. `models` narrows the choice to these full or own names. `cooling` holds
    (provider, model) pairs that are tried last; a pair with model None is the whole provider. `tradeoff` overrides the engine's.
    `surcharges` (USD, by provider and model) come on top of what a model is expected to cost, negative ones for what its cache saves.
    `facts` spares strategies that are asked one after the other reading the prompt again; they are of `facts.prompt` alone.
    """

    prompt: str
    user_id: str | None = None
    session_id: str | None = None
    available_providers: list[str] = field(default_factory=lambda: ["gemini", "claude", "openrouter"])
    max_cost: float | None = None
    min_quality: float | None = None
    needs: frozenset[str] = frozenset()
    prompt_tokens: int | None = None
    max_tokens: int | None = None
    turns: int = 1
    models: tuple[str, ...] | None = None
    cooling: frozenset[tuple[str, str | None]] = frozenset()
    tradeoff: float | None = None
    surcharges: Mapping[tuple[str, str], float] = field(default_factory=dict, repr=False)
    facts: PromptFacts | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True)
class RoutingDecision:
    """Which model, how sure, and why.

    `metadata` may hold: `pattern`, `complexity`, `quality_score`, `cost_estimate` (USD), `experimental`, `learning_mismatch`,
    `fallback_reason`, `propensity` (probability that this choice was drawn), `candidates` (every candidate with its
    estimates, best first: the order in which `auto` fails over), `features` (numbers), `outcomes` (of like prompts, any model's).
    """

    provider: str
    model: str
    confidence: str
    strategy_used: str
    reasoning: str
    fallback_used: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a decision: quality 0 to 1 (None: unknown), cost in USD, latency in seconds, an error's code."""

    quality: float | None = None
    cost: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency: float | None = None
    error: str | None = None


class RoutingStrategy(ABC):
    """A way to choose a model. Same state, same seed: same answer."""

    @abstractmethod
    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        """The choice for `prompt` within `context`. Raises NoRoute when nothing satisfies it."""

    @abstractmethod
    def get_name(self) -> str:
        """The name stored as `strategy_used`."""
