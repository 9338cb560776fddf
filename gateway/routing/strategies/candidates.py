"""Which models may answer a request: those that can do what it needs within what its context allows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.catalog import plain_decimal
from gateway.catalog.catalog import Catalog, Model
from gateway.errors import NoRoute
from gateway.routing.estimation.estimates import Estimate, Estimates, prior_quality
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.usage import EXPECTED_OUTPUT
from gateway.routing.types import PromptFacts, RoutingContext


class Candidate(NamedTuple):
    """`cost` is USD. `cooling` candidates are tried last, never left out. `propensity` is the chance that this one was drawn."""

    model: Model
    estimate: Estimate
    cost: float
    cooling: bool = False
    propensity: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        return self.model.key

    def with_propensity(self, propensity: float) -> Candidate:
        return Candidate(*self[:-1], propensity)


@dataclass(frozen=True, slots=True)
class RoutingRequest:
    """What candidates are judged by."""

    facts: PromptFacts
    context: RoutingContext
    catalog: Catalog
    estimates: Estimates


def eligible(request: RoutingRequest) -> list[Candidate]:
    """In the catalogue's order. Raises NoRoute, saying what ruled out how many."""
    context = request.context
    columns = _of_use(request.catalog, tuple(context.available_providers), frozenset(context.needs))
    if context.models is None and _fits_all(request, columns):
        candidates = _estimated(request, columns)
    else:
        candidates = eligible_among(request, columns.models)
    if candidates:
        return candidates
    reasons = Counter(filter(None, (ineligible(model, request) for model in request.catalog)))
    raise NoRoute(_nothing(reasons))


def eligible_among(request: RoutingRequest, models: Iterable[Model]) -> list[Candidate]:
    """Those of the models that may answer, in their order."""
    unable = _hard_constraints(request)
    return _estimated(request, ModelColumns(model for model in models if unable(model) is None))


@lru_cache(maxsize=64)  # clients choose both
def _of_use(catalog: Catalog, providers: tuple[str, ...], needs: frozenset[str]) -> ModelColumns:
    """Those of the providers that can do all of it, however large."""
    return ModelColumns(model for model in catalog if model.provider in providers and model.can(needs))


def _fits_all(request: RoutingRequest, columns: ModelColumns) -> bool:
    size, asked = _sizes(request)
    return not (size > columns.least_window or columns.least_output < asked)


def _estimated(request: RoutingRequest, columns: ModelColumns) -> list[Candidate]:
    """Those within the limits on cost and quality."""
    context, candidates = request.context, _candidates(request, columns)
    if context.max_cost is None and context.min_quality is None:
        return candidates
    return [each for each in candidates if _too_dear_or_poor(each, request) is None]


def _candidates(request: RoutingRequest, columns: ModelColumns) -> list[Candidate]:
    """The whole lineup, with what the context says of each: what it costs on top, and whether it rests."""
    context = request.context
    estimates = request.estimates.across(columns, request.facts)
    costs = request.estimates.costs(columns, request.facts, max_tokens=context.max_tokens)
    if surcharges := context.surcharges:
        charged = zip(costs, map(surcharges.get, columns.keys), strict=True)
        costs = [max(0.0, cost + surcharge) if surcharge else cost for cost, surcharge in charged]
    if not context.cooling:
        return list(map(Candidate, columns.models, estimates, costs))
    return list(
        map(Candidate, columns.models, estimates, costs, [is_cooling_down(model, context) for model in columns.models])
    )


def ineligibility(provider: str, name: str, request: RoutingRequest) -> str | None:
    """Why this model may not answer this request; None when it may."""
    model = request.catalog.get(provider, name)
    if model is None:
        return f"{provider}/{name} is not in the catalogue"
    reason = ineligible(model, request)
    return f"{model.full_name}: {reason}" if reason else None


def ineligible(model: Model, request: RoutingRequest) -> str | None:
    """Why one model may not answer; None when it may. What it is expected to do is asked only where that is limited."""
    context = request.context
    reason = _hard_constraints(request)(model)
    if reason is not None or (context.max_cost is None and context.min_quality is None):
        return reason
    return _too_dear_or_poor(_candidates(request, ModelColumns([model]))[0], request)


def is_cooling_down(model: Model, context: RoutingContext) -> bool:
    """Whether it or its provider is cooling."""
    return bool(context.cooling) and not context.cooling.isdisjoint(((model.provider, None), model.key))


def _sizes(request: RoutingRequest) -> tuple[float, float]:
    """Tokens of the prompt with its answer, and of the answer that was asked for: NaN where none was, since nothing is less than that."""
    asked = math.nan if request.context.max_tokens is None else request.context.max_tokens
    return request.facts.tokens + min(EXPECTED_OUTPUT, asked), asked


def _hard_constraints(request: RoutingRequest) -> Callable[[Model], str | None]:
    """Why a model cannot answer whatever it costs, model by model; what is the same for all is worked out once."""
    context, aliases = request.context, request.catalog.aliases
    providers, names, needs = context.available_providers, context.models, context.needs
    size, asked = _sizes(request)

    def unable(model: Model) -> str | None:
        if model.provider not in providers:
            return "its provider is not available"
        if names is not None and not _named(model, names, aliases):
            return "it is not among the models asked for"
        if needs and not model.can(needs):
            return f"it cannot do {', '.join(sorted(needs - (model.abilities or frozenset())))}"
        if model.max_output is not None and model.max_output < asked and model.max_output < _longest_output(request):
            return f"it cannot answer {asked} tokens"
        if model.context_window is not None and size > model.context_window:
            return "the prompt and its answer do not fit its context window"
        return None

    return unable


def _too_dear_or_poor(candidate: Candidate, request: RoutingRequest) -> str | None:
    """Comparisons are written so that a limit which is not a number lets nothing pass."""
    context = request.context
    if context.max_cost is not None and not candidate.cost <= context.max_cost:
        return f"its expected cost is above {plain_decimal(context.max_cost)} USD"
    if context.min_quality is not None and not _assured(candidate, request.facts) >= context.min_quality:
        return f"its expected quality is below {context.min_quality}"
    return None


def _assured(candidate: Candidate, facts: PromptFacts) -> float:
    """The quality that counts against a limit: others' failures rule nobody out who has no outcomes of its own."""
    quality = candidate.estimate.quality
    return quality if candidate.estimate.has_outcomes else max(quality, prior_quality(candidate.model.tier, facts))


def _named(model: Model, names: Sequence[str], aliases: Mapping[str, str]) -> bool:
    own = {model.name, model.full_name}
    if model.provider == "claude":
        own.add(f"anthropic/{model.name}")
    return any(name in own or aliases.get(name) in own for name in names)


def _longest_output(request: RoutingRequest) -> int:
    """The longest answer that any available model can give: who asks for more gets that. 0 when one has no known limit."""
    limits = [model.max_output for model in request.catalog if model.provider in request.context.available_providers]
    return 0 if None in limits else max(limit for limit in limits if limit is not None)


def _nothing(reasons: Counter[str]) -> str:
    if not reasons:
        return "The catalogue lists no model."
    told = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common(5))
    return f"No model can take this request. Ruled out: {told}."


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    """A candidate as decisions show it; `cost` in USD."""
    model, (quality, spread, outcomes, *_), cost, cooling, propensity = candidate
    return {
        "provider": model.provider,
        "model": model.name,
        "tier": model.tier,
        "quality": _rounded(quality),
        "spread": _rounded(spread),
        "cost": cost,
        "outcomes": outcomes,
        "propensity": propensity,
        "cooling": cooling,
    }


@lru_cache(
    maxsize=1000
)  # models without outcomes have the same few figures, and rounding takes longer than all else that is shown
def _rounded(figure: float) -> float:
    return round(figure, 4)
