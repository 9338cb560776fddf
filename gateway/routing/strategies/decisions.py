"""Builds decisions from ranked candidates, and checks those that strategies hand in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from gateway.catalog.catalog import Catalog
from gateway.errors import RoutingError
from gateway.routing.strategies.candidates import Candidate, RoutingRequest, candidate_json, eligible, ineligibility
from gateway.routing.types import CONFIDENCES, PromptFacts, RoutingDecision

# Stored with each row, so that decisions of different rules are not compared as if they were of one.
POLICY_VERSION = "1"
_REASON_LENGTH = 300


def decision_metadata(facts: PromptFacts, order: Sequence[Candidate]) -> dict[str, Any]:
    """The metadata of a decision for the first of `order`."""
    chosen = order[0]
    return {
        "pattern": facts.pattern,
        "complexity": facts.complexity,
        "quality_score": round(chosen.estimate.quality, 4),
        "cost_estimate": chosen.cost,
        "propensity": chosen.propensity,
        "outcomes": chosen.estimate.outcomes,
        "candidates": [candidate_json(candidate) for candidate in order],
        "features": dict(facts.features),
        "prompt_tokens": facts.tokens,
        "policy_version": POLICY_VERSION,
    }


def well_formed(decision: object, providers: Collection[str]) -> RoutingDecision:
    """A decision from a strategy that somebody may have replaced, its metadata a dict. Raises RoutingError, saying what is wrong."""
    if not isinstance(decision, RoutingDecision):
        raise RoutingError(f"the strategy returned {_named(decision)} instead of a decision")
    if not isinstance(decision.provider, str) or decision.provider not in providers:
        raise RoutingError(f"provider {_shown(decision.provider)} is not available")
    if not isinstance(decision.model, str) or not decision.model:
        raise RoutingError(f"{_shown(decision.model)} is not a model")
    if not isinstance(decision.confidence, str) or decision.confidence not in CONFIDENCES:
        raise RoutingError(f"confidence {_shown(decision.confidence)} is not one of high, medium, low")
    metadata = {} if decision.metadata is None else decision.metadata
    if not isinstance(metadata, dict):
        raise RoutingError(f"metadata is {_named(metadata)}")
    return decision if decision.metadata is metadata else replace(decision, metadata=metadata)


def validate(decision: object, request: RoutingRequest, *, strategies: Collection[str]) -> RoutingDecision:
    """The decision with its model by its own name. Raises RoutingError, saying what the request does not allow."""
    formed = by_own_name(well_formed(decision, request.context.available_providers), request.catalog)
    if not isinstance(formed.strategy_used, str) or formed.strategy_used not in strategies:
        raise RoutingError(f"strategy {_shown(formed.strategy_used)} is not known")
    wrong = ineligibility(formed.provider, formed.model, request)
    if wrong:
        raise RoutingError(wrong)
    return formed


def fill_metadata(decision: RoutingDecision, request: RoutingRequest) -> RoutingDecision:
    """What the ledger and the failover need and a replaced strategy did not tell; what it told stays."""
    told = decision.metadata
    if "candidates" in told and "features" in told and "pattern" in told:
        return decision
    candidates = sorted(
        eligible(request), key=lambda each: (each.key != (decision.provider, decision.model), each.cooling)
    )
    return replace(decision, metadata={**decision_metadata(request.facts, candidates), "propensity": None, **told})


def by_own_name(decision: RoutingDecision, catalog: Catalog) -> RoutingDecision:
    """An alias or full name is as good as the provider's own id where it means a model of the same provider."""
    if catalog.get(decision.provider, decision.model) is not None:
        return decision
    full_name = catalog.aliases.get(decision.model, decision.model)
    model = next((each for each in catalog if each.full_name == full_name), None)
    if model is None or model.provider != decision.provider:
        return decision
    return replace(decision, model=model.name)


def reason_of(error: BaseException) -> str:
    """One line of bounded length for `fallback_reason`."""
    text = " ".join(str(error).split())[:_REASON_LENGTH]
    return f"strategy: {type(error).__name__}: {text}" if text else f"strategy: {type(error).__name__}"


def _shown(value: object) -> str:
    return repr(value)[:80]


def _named(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
