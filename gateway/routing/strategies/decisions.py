"""Validates the decisions of strategies: callers may replace a strategy, so a decision may hold anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from gateway.catalog.catalog import Catalog, Model, ModelKey
from gateway.errors import RoutingError
from gateway.routing.strategies.candidates import RoutingRequest, eligible, ineligibility, scored_models
from gateway.routing.strategies.ranking import Ranking, number
from gateway.routing.strategies.scored_models import ScoredModel, ScoredModels
from gateway.routing.types import CONFIDENCES, RoutingDecision

_REASON_LENGTH = 300


def well_formed(decision: object, providers: Collection[str]) -> RoutingDecision:
    """The decision, its metadata a dict. Raises RoutingError, saying what is wrong."""
    if not isinstance(decision, RoutingDecision):
        raise RoutingError(f"the strategy returned {_type_of(decision)} instead of a decision")
    if not isinstance(decision.provider, str) or decision.provider not in providers:
        raise RoutingError(f"provider {_shown(decision.provider)} is not available")
    if not isinstance(decision.model, str) or not decision.model:
        raise RoutingError(f"{_shown(decision.model)} is not a model")
    if not isinstance(decision.confidence, str) or decision.confidence not in CONFIDENCES:
        raise RoutingError(f"confidence {_shown(decision.confidence)} is not one of high, medium, low")
    metadata = {} if decision.metadata is None else decision.metadata
    if not isinstance(metadata, dict):
        raise RoutingError(f"metadata is {_type_of(metadata)}")
    return decision if decision.metadata is metadata else replace(decision, metadata=metadata)


def validate(ranking: Ranking, request: RoutingRequest, *, strategies: Collection[str]) -> Ranking:
    """The ranking with its choice by the model's own name. Raises RoutingError, saying what the request does not allow."""
    resolved = by_own_name(ranking, request.catalog)
    if not isinstance(resolved.strategy, str) or resolved.strategy not in strategies:
        raise RoutingError(f"strategy {_shown(resolved.strategy)} is not known")
    reason = ineligibility(*resolved.chosen, request)
    if reason:
        raise RoutingError(reason)
    return resolved


def complete(ranking: Ranking, request: RoutingRequest) -> Ranking:
    """Adds the estimates that ledger and failover need where a replaced strategy has none; its own metadata stays."""
    if ranking.order:
        return ranking
    passed, facts = ranking.passed, request.facts
    rows = list(_passed_models(passed["candidates"], request)) if "candidates" in passed else None
    models = eligible(request) if rows is None else ScoredModels.of_rows(rows)
    if not models:
        return ranking
    order: Sequence[int] = models.places
    if rows is None:
        order = sorted(order, key=lambda place: (models.columns.keys[place] != ranking.chosen, models.cooling[place]))
    first = models.row(order[0])
    return ranking._replace(
        models=models,
        order=order,
        propensities={place: row.propensity for place, row in enumerate(rows or ())},
        pattern=facts.pattern if ranking.pattern is None else ranking.pattern,
        complexity=facts.complexity if ranking.complexity is None else ranking.complexity,
        prompt_tokens=facts.tokens,
        features=ranking.features if "features" in passed else facts.features,
        quality=first.shown_quality if "quality_score" not in passed else ranking.quality,
        cost=first.cost if "cost_estimate" not in passed else ranking.cost,
        outcomes=first.estimate.outcomes if "outcomes" not in passed else ranking.outcomes,
    )


def _passed_models(entries: object, request: RoutingRequest) -> Iterator[ScoredModel]:
    """Candidates in the order of a replaced strategy, with its figures where it gives some; unlisted models are left out."""
    listed: dict[ModelKey, tuple[Model, Mapping[str, object]]] = {}
    for entry in entries if isinstance(entries, Sequence) else ():
        if isinstance(entry, Mapping):
            model = request.catalog.get(str(entry.get("provider")), str(entry.get("model")))
            if model is not None:
                listed.setdefault(model.key, (model, entry))
    models = scored_models(request, [model for model, _ in listed.values()])
    for place, (_, entry) in enumerate(listed.values()):
        scored = models.row(place)
        quality, std, cost, outcomes, propensity = (
            number(entry.get(name)) for name in ("quality", "spread", "cost", "outcomes", "propensity")
        )
        estimate = scored.estimate
        yield scored._replace(
            estimate=estimate._replace(
                quality=estimate.quality if quality is None else quality,
                std=estimate.std if std is None else std,
                outcomes=estimate.outcomes if outcomes is None else int(outcomes),
            ),
            cost=scored.cost if cost is None else cost,
            propensity=scored.propensity if propensity is None else propensity,
        )


def by_own_name(ranking: Ranking, catalog: Catalog) -> Ranking:
    """Replaces an alias or full name of the choice by the provider's own id, where it means a model of the same provider."""
    chosen = ranking.chosen
    if catalog.get(*chosen) is not None:
        return ranking
    full_name = catalog.aliases.get(chosen.name, chosen.name)
    model = next((each for each in catalog if each.full_name == full_name), None)
    if model is None or model.provider != chosen.provider:
        return ranking
    return ranking._replace(chosen=model.key)


def reason_of(error: BaseException) -> str:
    """One line of bounded length for `fallback_reason`."""
    text = " ".join(str(error).split())[:_REASON_LENGTH]
    return f"strategy: {type(error).__name__}: {text}" if text else f"strategy: {type(error).__name__}"


def _shown(value: object) -> str:
    return repr(value)[:80]


def _type_of(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
