"""A strategy's answer: the models in failover order with their estimates, the choice and its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.catalog import usd_text
from gateway.catalog.catalog import ModelKey
from gateway.records import CandidateColumns
from gateway.routing.strategies.agreement import AgreementPlan
from gateway.routing.strategies.scored_models import ScoredModel, ScoredModels, rounded
from gateway.routing.types import PromptFacts, RoutingDecision

# Stored with each row, so that decisions of different policies are not compared as if one policy had made them.
POLICY_VERSION = "3"
# Metadata of a replaced strategy that no longer holds once another model is chosen.
_OF_THE_CHOICE = frozenset({"candidates", "propensity", "quality_score", "cost_estimate", "outcomes"})
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NO_MODELS = ScoredModels.of_rows(())
_NOT_DRAWN: Mapping[int, float] = MappingProxyType({})


class RankedCandidates(CandidateColumns):
    """The models of a ranking as JSON, rendered when they are read: the ledger does that when it encodes the row."""

    __slots__ = ("_models", "_order", "_propensities")

    def __init__(self, models: ScoredModels, order: Sequence[int], propensities: Mapping[int, float]) -> None:
        self._models = models
        self._order = order
        self._propensities = propensities

    def __len__(self) -> int:
        return len(self._order)

    def columns(self) -> dict[str, list[Any]]:
        """Every candidate's figures, in failover order; `cost` in USD."""
        (models, (qualities, evidence), costs, cooling), order = self._models, self._order
        return {
            "provider": [models.keys[place].provider for place in order],
            "model": [models.keys[place].name for place in order],
            "tier": [models.tiers[place] for place in order],
            "quality": [rounded(qualities[place]) for place in order],
            "spread": [rounded(evidence.stds[place]) for place in order],
            "cost": [costs[place] for place in order],
            "outcomes": [evidence.outcomes[place] for place in order],
            "propensity": [self._propensities.get(place, 0.0) for place in order],
            "cooling": [cooling[place] for place in order],
        }


class Ranking(NamedTuple):
    """What a strategy answers. A tuple, since each request makes some and replaces members of them.

    `order` has the places of the eligible `models` in failover order, best first; it is empty where nothing was estimated.
    `propensities` are by place, 0 where there is none. Who reads a ranking looks at `chosen`, `keys`, `of` and `candidates`.
    `quality`, `cost` (USD), `outcomes` (of similar prompts) and `propensity` are those of the choice; None: not known.
    `experimental` and `learning_mismatch` are None where the strategy does not say. `passed` is the metadata of a strategy
    that a caller replaced, passed on as it came. `agreement` is a plan to ask further models besides the choice; then `quality` and `cost`
    are those of the whole plan.
    """

    chosen: ModelKey
    strategy: str
    confidence: str
    reasoning: str
    models: ScoredModels = _NO_MODELS
    order: Sequence[int] = ()
    propensities: Mapping[int, float] = _NOT_DRAWN
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
    agreement: AgreementPlan | None = None

    @classmethod
    def of_models(
        cls,
        models: ScoredModels,
        order: Sequence[int],
        facts: PromptFacts,
        *,
        propensities: Mapping[int, float],
        strategy: str,
        confidence: str,
        reasoning: str,
        outcomes: float | None = None,
        tradeoff: float | None = None,
    ) -> Ranking:
        """The first of `order` is the choice; `outcomes` are its own by default."""
        first = order[0]
        return cls(
            chosen=models.columns.keys[first],
            strategy=strategy,
            confidence=confidence,
            reasoning=reasoning,
            models=models,
            order=order,
            propensities=propensities,
            pattern=facts.pattern,
            complexity=facts.complexity,
            prompt_tokens=facts.tokens,
            features=facts.features,
            quality=models.shown_quality(first),
            cost=models.costs[first],
            outcomes=models.estimates.evidence.outcomes[first] if outcomes is None else outcomes,
            propensity=propensities.get(first, 0.0),
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
        keys = self.models.columns.keys
        return tuple([keys[place] for place in self.order])

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """The models as JSON objects, in failover order."""
        return RankedCandidates(self.models, self.order, self.propensities) if self.order else ()

    def of(self, key: ModelKey) -> ScoredModel | None:
        """One model's row; None where it is not eligible."""
        place = self.models.columns.index.get(key)
        return None if place is None else self.models.row(place, propensity=self.propensities.get(place, 0.0))

    def choose(self, key: ModelKey, *, because: str) -> Ranking:
        """Another of the models in front, certain instead of drawn. `because` comes before the reason so far."""
        models = self.models
        first = models.columns.index[key]
        return self._replace(
            chosen=key,
            order=(first, *[place for place in self.order if place != first]),
            propensities={first: 1.0},
            propensity=1.0,
            quality=models.shown_quality(first),
            cost=models.costs[first],
            outcomes=models.estimates.evidence.outcomes[first],
            reasoning=f"{because} {self.reasoning}",
            agreement=None,
            passed={name: value for name, value in self.passed.items() if name not in _OF_THE_CHOICE},
        )

    def by_agreement(self, plan: AgreementPlan, *, instead_of: int) -> Ranking:
        """The plan where the place `instead_of` would have been chosen alone, or the plan's first model; other draws stay as they are.

        The probabilities stay exact: the plan has those of both.
        """
        first = self.models.columns.index[plan.first]
        drawn = self.models.columns.index[self.chosen]
        shares = dict(self.propensities)
        merged = {first: shares.pop(instead_of, 0.0) + shares.pop(first, 0.0)} | shares
        if drawn not in (instead_of, first):
            return self._replace(propensities=merged)
        escalation = self.models.columns.index[plan.escalation]
        front = (first, escalation)
        return self._replace(
            chosen=plan.first,
            order=(*front, *[place for place in self.order if place not in front]),
            propensities=merged,
            propensity=merged[first],
            quality=rounded(plan.quality),
            cost=plan.cost,
            agreement=plan,
            reasoning=f"{plan.sentence} {self._compared_with(plan, instead_of)}",
        )

    def _compared_with(self, plan: AgreementPlan, single: int) -> str:
        models = self.models
        alone = f"{models.columns.keys[single].full_name} alone {models.shown_quality(single):.2f} for {usd_text(models.costs[single])}"
        return f"That is expected to reach quality {plan.quality:.2f} for {usd_text(plan.cost)}, {alone}."

    def to_decision(self) -> RoutingDecision:
        """The Python API's decision; the metadata of a replaced strategy is unchanged."""
        metadata: dict[str, Any] = {}
        if self.order:
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
            "cascade": None if self.agreement is None else self.agreement.as_metadata(),
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
