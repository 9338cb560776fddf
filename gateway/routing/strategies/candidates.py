"""Which models may answer a request: those with the abilities, sizes and limits that its context requires."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from gateway.catalog import plain_decimal
from gateway.catalog.catalog import Catalog, Model, ModelKey
from gateway.catalog.pool import pool_of
from gateway.catalog.service_tier import rate_factor
from gateway.errors import NoRoute
from gateway.routing.estimation.estimates import EstimateColumns, Estimates, prior_quality
from gateway.routing.estimation.model_columns import ModelColumns, columns_of
from gateway.routing.estimation.usage import EXPECTED_OUTPUT
from gateway.routing.strategies.scored_models import ScoredModels
from gateway.routing.types import PromptFacts, RoutingContext


@dataclass(frozen=True, slots=True)
class RoutingRequest:
    """One request with what is known about the models: the input of every estimate."""

    facts: PromptFacts
    context: RoutingContext
    catalog: Catalog
    estimates: Estimates


def eligible(request: RoutingRequest) -> ScoredModels:
    """The models that may answer, in the catalogue's order. Raises NoRoute, which counts the models by the constraint they fail."""
    context = request.context
    columns = _capable(request.catalog, _requirements(context))
    if context.models is not None or not _fits_all(request, columns):
        columns = _unconstrained(request, columns.models)
    if models := _within_limits(request, columns):
        return models
    reasons = Counter(filter(None, (ineligible(model, request) for model in request.catalog)))
    raise NoRoute(_no_route_message(reasons))


def pooled(request: RoutingRequest) -> ScoredModels:
    """Those of the catalogue's pool that may answer, and the baseline; all that may answer where none of the pool can. Raises NoRoute."""
    context = request.context
    if context.models is not None:
        return eligible(request)
    columns = _pool(request.catalog, _requirements(context), context.baseline)
    if not _fits_all(request, columns):
        columns = _unconstrained(request, columns.models)
    return _within_limits(request, columns) or eligible(request)


@lru_cache(maxsize=64)
def _pool(catalog: Catalog, requirements: _Requirements, baseline: ModelKey | None) -> ModelColumns:
    capable = _capable(catalog, requirements).models
    pool = {model.key for model in pool_of(capable)} | {baseline}
    return ModelColumns(model for model in capable if model.key in pool)


def eligible_among(request: RoutingRequest, models: Iterable[Model]) -> ScoredModels:
    """Those of `models` that may answer, in their order."""
    return _within_limits(request, _unconstrained(request, models))


def scored_models(request: RoutingRequest, models: Iterable[Model]) -> ScoredModels:
    """All of `models` with their estimates, eligible or not."""
    return _scored(request, columns_of(request.catalog, tuple([model.key for model in models])))


class _Requirements(NamedTuple):
    """What a model must have, whatever the size of the request."""

    providers: tuple[str, ...]
    needs: frozenset[str]
    own_effort: bool

    def met_by(self, model: Model) -> bool:
        return (
            model.provider in self.providers
            and model.can(self.needs)
            and not (self.own_effort and model.effort is not None)
        )


def _requirements(context: RoutingContext) -> _Requirements:
    return _Requirements(tuple(context.available_providers), frozenset(context.needs), context.own_effort)


@lru_cache(maxsize=64)  # clients choose the requirements
def _capable(catalog: Catalog, requirements: _Requirements) -> ModelColumns:
    return ModelColumns(filter(requirements.met_by, catalog))


def _unconstrained(request: RoutingRequest, models: Iterable[Model]) -> ModelColumns:
    """Those of `models` that fail no constraint but the limits on cost and quality."""
    constraint = _hard_constraints(request)
    return columns_of(request.catalog, tuple([model.key for model in models if constraint(model) is None]))


def _fits_all(request: RoutingRequest, columns: ModelColumns) -> bool:
    size, output_limit = _sizes(request)
    return not (size > columns.least_window or columns.least_output < output_limit)


def _within_limits(request: RoutingRequest, columns: ModelColumns) -> ScoredModels:
    """The models within the context's limits on cost and quality."""
    context, scored = request.context, _scored(request, columns)
    if context.max_cost is None and context.min_quality is None:
        return scored
    kept = [place for place in scored.places if _limit_exceeded(scored, place, request) is None]
    if len(kept) == len(columns.models):
        return scored
    columns = columns_of(request.catalog, tuple([columns.keys[place] for place in kept]))
    qualities = scored.estimates.qualities
    return ScoredModels(
        columns,
        EstimateColumns([qualities[place] for place in kept], request.estimates.evidence(columns, request.facts)),
        [scored.costs[place] for place in kept],
        [scored.cooling[place] for place in kept],
    )


def _scored(request: RoutingRequest, columns: ModelColumns) -> ScoredModels:
    """All models of `columns`, with surcharge and cool-down from the context."""
    context = request.context
    estimates = request.estimates.across(columns, request.facts)
    costs = request.estimates.costs(columns, request.facts, max_tokens=context.max_tokens)
    if context.service_tier is not None:
        factors = [float(rate_factor(key.provider, context.service_tier)) for key in columns.keys]
        costs = [cost * factor for cost, factor in zip(costs, factors, strict=True)]
    if surcharges := context.surcharges:
        with_surcharge = zip(costs, map(surcharges.get, columns.keys), strict=True)
        costs = [max(0.0, cost + surcharge) if surcharge else cost for cost, surcharge in with_surcharge]
    return ScoredModels(columns, estimates, costs, _cooling_down(columns, context))


def _cooling_down(columns: ModelColumns, context: RoutingContext) -> Sequence[bool]:
    """Which models are cooling down, alone or with their whole provider."""
    cooling = context.cooling
    if not cooling:
        return (False,) * len(columns.keys)
    providers = {provider for provider, name in cooling if name is None}
    return [key in cooling or key.provider in providers for key in columns.keys]


def ineligibility(provider: str, name: str, request: RoutingRequest) -> str | None:
    """Why this model may not answer this request; None when it may."""
    model = request.catalog.get(provider, name)
    if model is None:
        return f"{provider}/{name} is not in the catalogue"
    reason = ineligible(model, request)
    return f"{model.full_name}: {reason}" if reason else None


def ineligible(model: Model, request: RoutingRequest) -> str | None:
    """Why one model may not answer; None when it may. It is estimated only where the context limits cost or quality."""
    context = request.context
    reason = _hard_constraints(request)(model)
    if reason is not None or (context.max_cost is None and context.min_quality is None):
        return reason
    return _limit_exceeded(scored_models(request, [model]), 0, request)


def is_cooling_down(model: Model, context: RoutingContext) -> bool:
    """Whether the model or its whole provider is cooling down."""
    return bool(context.cooling) and not context.cooling.isdisjoint(((model.provider, None), model.key))


def _sizes(request: RoutingRequest) -> tuple[float, float]:
    """(prompt + output tokens, the client's output limit); the limit is NaN where there is none, so every comparison with it is False."""
    output_limit = math.nan if request.context.max_tokens is None else request.context.max_tokens
    return request.facts.tokens + min(EXPECTED_OUTPUT, output_limit), output_limit


def _hard_constraints(request: RoutingRequest) -> Callable[[Model], str | None]:
    """A function that says which constraint a model fails, whatever it costs; what all models share is computed once."""
    context, aliases = request.context, request.catalog.aliases
    providers, names, needs = context.available_providers, context.models, context.needs
    size, output_limit = _sizes(request)

    def failed_constraint(model: Model) -> str | None:
        if model.provider not in providers:
            return "its provider is not available"
        if names is not None and not _named(model, names, aliases):
            return "it is not among the requested models"
        if context.own_effort and model.effort is not None:
            return "it is for requests that leave the reasoning effort open"
        if needs and not model.can(needs):
            return f"it cannot do {', '.join(sorted(needs - (model.abilities or frozenset())))}"
        if (
            model.max_output is not None
            and model.max_output < output_limit
            and model.max_output < _longest_output(request)
        ):
            return f"it cannot answer {output_limit} tokens"
        if model.context_window is not None and size > model.context_window:
            return "the prompt and its answer do not fit its context window"
        return None

    return failed_constraint


def _limit_exceeded(models: ScoredModels, place: int, request: RoutingRequest) -> str | None:
    """The comparisons are negated so that a limit of NaN excludes every model."""
    context = request.context
    if context.max_cost is not None and not models.costs[place] <= context.max_cost:
        return f"its expected cost is above {plain_decimal(context.max_cost)} USD"
    if context.min_quality is not None and not _quality_floor(models, place, request.facts) >= context.min_quality:
        return f"its expected quality is below {context.min_quality}"
    return None


def _quality_floor(models: ScoredModels, place: int, facts: PromptFacts) -> float:
    """The quality that is compared with the limit: a model without outcomes has at least its prior, whatever other models did."""
    qualities, evidence = models.estimates
    if evidence.has_outcomes[place]:
        return qualities[place]
    return max(qualities[place], prior_quality(models.columns.priors[place], facts))


def _named(model: Model, names: Sequence[str], aliases: Mapping[str, str]) -> bool:
    """Whether one of `names` means this model."""
    spellings = {model.name, model.full_name}
    if model.provider == "claude":
        spellings.add(f"anthropic/{model.name}")
    return any(name in spellings or aliases.get(name) in spellings for name in names)


def _longest_output(request: RoutingRequest) -> int:
    """The longest answer of any available model: a request for more gets that much. 0 when a model's limit is unknown."""
    limits = [model.max_output for model in request.catalog if model.provider in request.context.available_providers]
    return 0 if None in limits else max(limit for limit in limits if limit is not None)


def _no_route_message(reasons: Counter[str]) -> str:
    if not reasons:
        return "The catalogue lists no model."
    counts = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common(5))
    return f"No model can take this request. Ruled out: {counts}."
