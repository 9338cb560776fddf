"""A strategy's answer: the models in failover order with their estimates, the choice and its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, overload

from gateway.catalog.catalog import Model, ModelKey
from gateway.routing.estimation.estimates import Estimate
from gateway.routing.types import PromptFacts, RoutingDecision

# Stored with each row, so that decisions of different policies are not compared as if one policy had made them.
POLICY_VERSION = "2"
# Metadata of a replaced strategy that no longer holds once another model is chosen.
_OF_THE_CHOICE = frozenset({"candidates", "propensity", "quality_score", "cost_estimate", "outcomes"})
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ScoredModel(NamedTuple):
    """An eligible model with its estimates for one request: one row of a ranking.

    `cost` is USD. `cooling` models are tried last, never left out. `propensity` is the probability that this one was drawn.
    """

    model: Model
    estimate: Estimate
    cost: float
    cooling: bool = False
    propensity: float = 0.0

    @property
    def key(self) -> ModelKey:
        return self.model.key

    @property
    def shown_quality(self) -> float:
        """Rounded as in decisions and rows."""
        return _rounded(self.estimate.quality)

    def with_propensity(self, propensity: float) -> ScoredModel:
        return ScoredModel(*self[:-1], propensity)

    def to_json(self) -> dict[str, Any]:
        """A candidate as decisions and rows show it; `cost` in USD."""
        model, (quality, std, outcomes, *_), cost, cooling, propensity = self
        return {
            "provider": model.provider,
            "model": model.name,
            "tier": model.tier,
            "quality": _rounded(quality),
            "spread": _rounded(std),
            "cost": cost,
            "outcomes": outcomes,
            "propensity": propensity,
            "cooling": cooling,
        }


# Models without outcomes share few figures, and rounding is the slowest part of rendering.
@lru_cache(maxsize=1000)
def _rounded(figure: float) -> float:
    return round(figure, 4)


class CandidatesJson(Sequence[Mapping[str, Any]]):
    """The models of a ranking as JSON objects, rendered when they are read: the ledger does that when it encodes the row."""

    __slots__ = ("_scored",)

    def __init__(self, scored: Sequence[ScoredModel]) -> None:
        self._scored = scored

    def __len__(self) -> int:
        return len(self._scored)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (scored.to_json() for scored in self._scored)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        return CandidatesJson(self._scored[index]) if isinstance(index, slice) else self._scored[index].to_json()


class Ranking(NamedTuple):
    """What a strategy answers. A tuple, since each request makes some and replaces members of them.

    `scored` are the eligible models in failover order, best first; it is empty where nothing was estimated. Consumers look
    at `chosen`, `keys`, `of` and `candidates`, so that arrays over the models can replace the rows.
    `quality`, `cost` (USD), `outcomes` (of similar prompts) and `propensity` are those of the choice; None: not known.
    `experimental` and `learning_mismatch` are None where the strategy does not say. `passed` is the metadata of a strategy
    that a caller replaced, passed on as it came.
    """

    chosen: ModelKey
    strategy: str
    confidence: str
    reasoning: str
    scored: Sequence[ScoredModel] = ()
    pattern: str | None = None
    complexity: float | None = None
    prompt_tokens: int | None = None
    features: Mapping[str, float] = _NOTHING
    quality: float | None = None
    cost: float | None = None
    outcomes: float | None = None
    propensity: float | None = None
    tradeoff: float | None = None
    experimental: bool | None = None
    learning_mismatch: bool | None = None
    fallback_used: bool = False
    fallback_reason: str | None = None
    passed: Mapping[str, Any] = _NOTHING

    @classmethod
    def of_models(
        cls,
        scored: Sequence[ScoredModel],
        facts: PromptFacts,
        *,
        strategy: str,
        confidence: str,
        reasoning: str,
        outcomes: float | None = None,
        tradeoff: float | None = None,
    ) -> Ranking:
        """The first of `scored` is the choice; `outcomes` are its own by default."""
        first = scored[0]
        return cls(
            chosen=first.key,
            strategy=strategy,
            confidence=confidence,
            reasoning=reasoning,
            scored=scored,
            pattern=facts.pattern,
            complexity=facts.complexity,
            prompt_tokens=facts.tokens,
            features=facts.features,
            quality=first.shown_quality,
            cost=first.cost,
            outcomes=first.estimate.outcomes if outcomes is None else outcomes,
            propensity=first.propensity,
            tradeoff=tradeoff,
        )

    @classmethod
    def of_decision(cls, decision: RoutingDecision) -> Ranking:
        """From a well-formed decision of a replaced strategy. Its metadata may hold anything; what is no such figure is unknown."""
        metadata = decision.metadata
        pattern, reason, features = (metadata.get(name) for name in ("pattern", "fallback_reason", "features"))
        return cls(
            chosen=ModelKey(decision.provider, decision.model),
            strategy=decision.strategy_used,
            confidence=decision.confidence,
            reasoning=decision.reasoning,
            pattern=pattern if isinstance(pattern, str) else None,
            complexity=number(metadata.get("complexity")),
            features=features if isinstance(features, Mapping) else _NOTHING,
            quality=number(metadata.get("quality_score")),
            cost=number(metadata.get("cost_estimate")),
            outcomes=number(metadata.get("outcomes")),
            propensity=number(metadata.get("propensity")),
            experimental=_flag(metadata.get("experimental")),
            learning_mismatch=_flag(metadata.get("learning_mismatch")),
            fallback_used=bool(decision.fallback_used),
            fallback_reason=None if reason is None else str(reason),
            passed=metadata,
        )

    @property
    def keys(self) -> tuple[ModelKey, ...]:
        """The models in failover order."""
        return tuple([scored.key for scored in self.scored])

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """The models as JSON objects, in failover order."""
        return CandidatesJson(self.scored) if self.scored else ()

    def of(self, key: ModelKey) -> ScoredModel | None:
        """One model's row; None where it is not eligible."""
        return next((scored for scored in self.scored if scored.key == key), None)

    def choose(self, scored: ScoredModel, *, because: str) -> Ranking:
        """Another of the models in front, certain instead of drawn. `because` comes before the reason so far."""
        others = (other for other in self.scored if other is not scored)
        rest = [other if other.propensity == 0.0 else other.with_propensity(0.0) for other in others]
        return self._replace(
            chosen=scored.key,
            scored=(scored.with_propensity(1.0), *rest),
            propensity=1.0,
            quality=scored.shown_quality,
            cost=scored.cost,
            outcomes=scored.estimate.outcomes,
            reasoning=f"{because} {self.reasoning}",
            passed={name: value for name, value in self.passed.items() if name not in _OF_THE_CHOICE},
        )

    def to_decision(self) -> RoutingDecision:
        """The Python API's decision; the metadata of a replaced strategy is unchanged."""
        metadata: dict[str, Any] = {}
        if self.scored:
            metadata = {
                "pattern": self.pattern,
                "complexity": self.complexity,
                "quality_score": self.quality,
                "cost_estimate": self.cost,
                "propensity": self.propensity,
                "outcomes": self.outcomes,
                "candidates": list(self.candidates),
                "features": dict(self.features),
                "prompt_tokens": self.prompt_tokens,
                "policy_version": POLICY_VERSION,
            }
        flags = {
            "tradeoff": self.tradeoff,
            "experimental": self.experimental,
            "learning_mismatch": self.learning_mismatch,
            "fallback_reason": self.fallback_reason,
        }
        return RoutingDecision(
            provider=self.chosen.provider,
            model=self.chosen.name,
            confidence=self.confidence,
            strategy_used=self.strategy,
            reasoning=self.reasoning,
            fallback_used=self.fallback_used,
            metadata={**metadata, **self.passed, **{name: flag for name, flag in flags.items() if flag is not None}},
        )


def number(value: object) -> float | None:
    """A figure of a replaced strategy; None for what is no number."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)
