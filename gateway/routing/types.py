"""Values and interfaces of routing: the context of a request, a strategy's decision, and its outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from gateway.catalog.catalog import ModelKey
from gateway.completion import Cascading

Confidence = Literal["high", "medium", "low"]
CONFIDENCES: frozenset[str] = frozenset({"high", "medium", "low"})


class RoutingMode(Enum):
    """Who chooses the model of a request."""

    PINNED = "pinned"  # the client
    COMPLEXITY = "complexity"  # complexity alone, nothing learned
    AUTO = "auto"  # the hybrid strategy
    SHADOW = "shadow"  # the client or the baseline; the hybrid strategy's choice is only recorded


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """Numbers that describe one request. `tokens` is the size of the whole prompt; `vector` holds `features` in a fixed order.

    `digest` identifies the prompt within this process (`prompt.digest`); None where no cache of prompts computed it.
    """

    prompt: str
    pattern: str
    complexity: float
    tokens: int
    features: Mapping[str, float]
    vector: tuple[float, ...]
    digest: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RoutingContext:
    """What a strategy may know of a request besides the prompt.

    `prompt` is the newest text of the user. `max_cost` limits the expected cost in USD, `min_quality` the expected quality (0 to 1).
    `needs` are names in `catalog.ABILITIES`. `prompt_tokens` is the size of the whole prompt (None: estimated from `prompt`),
    `max_tokens` the client's limit for the answer. `models` restricts the choice to these full names or ids. `cooling` holds
    (provider, model) pairs to try last; model None means the whole provider. `tradeoff` (0 to 1) replaces the engine's.
    `surcharges` (USD) are added to a model's expected cost; negative values are savings of its cache.
    `baseline` is the model that savings are measured against (None: complexity's choice); `auto:cheap` never expects to cost more.
    `service_tier` changes the prices of the providers that have it (`catalog.service_tier`).
    `own_effort`: the request sets the reasoning effort, which excludes the models that are asked for another.
    `cascade` `agree`: two models may be asked at once, because the caller can compare their answers (None: one is asked).
    `facts` are those of `facts.prompt`, so that several strategies read the prompt only once.
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
    surcharges: Mapping[ModelKey, float] = field(default_factory=dict, repr=False)
    baseline: ModelKey | None = None
    own_effort: bool = False
    service_tier: str | None = None
    cascade: Cascading | None = None
    facts: PromptFacts | None = field(default=None, repr=False, compare=False)


@dataclass(slots=True)
class RoutingDecision:
    """The Python API's answer: the model, the confidence and the reason.

    `metadata` may hold: `pattern`, `complexity`, `quality_score`, `cost_estimate` (USD), `experimental`, `learning_mismatch`,
    `fallback_reason`, `cascade` (see `Ranking.agreement`), `propensity` (probability that this choice was drawn), `candidates` (every candidate with its
    estimates, best first: the order in which `auto` fails over), `features` (numbers), `outcomes` (of similar prompts, any model's).
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
    """The result of a decision: quality 0 to 1 (None: unknown), cost in USD, latency in seconds, an error's code.

    `agreed` says of an answer that was compared with others whether all were there and equal; None for single calls and escalations.
    """

    quality: float | None = None
    cost: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency: float | None = None
    error: str | None = None
    agreed: bool | None = None


class RoutingStrategy(ABC):
    """Chooses a model. The same state and the same seed give the same answer."""

    @abstractmethod
    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        """The choice for `prompt` within `context`. Raises NoRoute when no model satisfies it."""

    @abstractmethod
    def get_name(self) -> str:
        """The name that is stored as `strategy_used`."""
