"""Which models may answer a request: those that can do what it needs within what its context allows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.catalog import Catalog, Model
from gateway.errors import NoRoute
from gateway.routing.learning.estimates import Estimate, Estimates
from gateway.routing.learning.usage import EXPECTED_OUTPUT
from gateway.routing.models import PromptFacts, RoutingContext


class Candidate(NamedTuple):
    """`cooling` candidates are tried last, never left out. `propensity` is the chance that this one was drawn."""

    model: Model
    estimate: Estimate
    cooling: bool = False
    propensity: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        return self.model.key

    def drawn_at(self, propensity: float) -> Candidate:
        return Candidate(self.model, self.estimate, self.cooling, propensity)


@dataclass(frozen=True, slots=True)
class Request:
    """What candidates are judged by."""

    facts: PromptFacts
    context: RoutingContext
    catalog: Catalog
    estimates: Estimates


def able(request: Request) -> list[Candidate]:
    """In the catalogue's order. Raises NoRoute, saying what ruled out how many."""
    if candidates := found(request, request.catalog):
        return candidates
    reasons = Counter(filter(None, (ruled_out(model, request) for model in request.catalog)))
    raise NoRoute(_nothing(reasons))


def found(request: Request, models: Iterable[Model]) -> list[Candidate]:
    """Those of the models that may answer, in their order."""
    context, unable = request.context, _inability(request)
    estimate = request.estimates.on(request.facts, max_tokens=context.max_tokens)
    candidates = [Candidate(model, estimate(model)) for model in models if unable(model) is None]
    if context.surcharges or context.cooling:
        candidates = [_within(context, each) for each in candidates]
    if context.max_cost is None and context.min_quality is None:
        return candidates
    return [each for each in candidates if _too_dear_or_poor(each, context) is None]


def objection(provider: str, name: str, request: Request) -> str | None:
    """Why this model may not answer this request; None when it may."""
    model = request.catalog.get(provider, name)
    if model is None:
        return f"{provider}/{name} is not in the catalogue"
    reason = ruled_out(model, request)
    return f"{model.full_name}: {reason}" if reason else None


def ruled_out(model: Model, request: Request) -> str | None:
    """Why one model may not answer; None when it may. What it is expected to do is asked only where that is limited."""
    context = request.context
    reason = _inability(request)(model)
    if reason is not None or (context.max_cost is None and context.min_quality is None):
        return reason
    estimate = request.estimates.of(model, request.facts, max_tokens=context.max_tokens)
    return _too_dear_or_poor(_within(context, Candidate(model, estimate)), context)


def rests(model: Model, context: RoutingContext) -> bool:
    """Whether it or its provider is cooling."""
    return bool(context.cooling) and not context.cooling.isdisjoint(((model.provider, None), model.key))


def _within(context: RoutingContext, candidate: Candidate) -> Candidate:
    """The candidate with what the context says of its model: what it costs on top, and whether it rests."""
    model, estimate, *_ = candidate
    surcharge = context.surcharges.get(model.key)
    cooling = rests(model, context)
    if not surcharge:
        return Candidate(model, estimate, cooling) if cooling else candidate
    return Candidate(model, estimate._replace(cost=max(0.0, estimate.cost + surcharge)), cooling)


def _inability(request: Request) -> Callable[[Model], str | None]:
    """Why a model cannot answer whatever it costs, model by model; what is the same for all is worked out once."""
    context, aliases = request.context, request.catalog.aliases
    providers, names, needs = context.available_providers, context.models, context.needs
    asked = math.nan if context.max_tokens is None else context.max_tokens  # nothing is less than NaN
    size = request.facts.tokens + min(EXPECTED_OUTPUT, asked)

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


def _too_dear_or_poor(candidate: Candidate, context: RoutingContext) -> str | None:
    """Comparisons are written so that a limit which is not a number lets nothing pass."""
    estimate = candidate.estimate
    if context.max_cost is not None and not estimate.cost <= context.max_cost:
        return f"its expected cost is above {context.max_cost} USD"
    if context.min_quality is not None and not estimate.assured >= context.min_quality:
        return f"its expected quality is below {context.min_quality}"
    return None


def _named(model: Model, names: Sequence[str], aliases: Mapping[str, str]) -> bool:
    own = {model.name, model.full_name}
    if model.provider == "claude":
        own.add(f"anthropic/{model.name}")
    return any(name in own or aliases.get(name) in own for name in names)


def _longest_output(request: Request) -> int:
    """The longest answer that any available model can give: who asks for more gets that. 0 when one has no known limit."""
    limits = [model.max_output for model in request.catalog if model.provider in request.context.available_providers]
    return 0 if None in limits else max(limit for limit in limits if limit is not None)


def _nothing(reasons: Counter[str]) -> str:
    if not reasons:
        return "The catalogue lists no model."
    told = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common(5))
    return f"No model can take this request. Ruled out: {told}."


def shown(candidate: Candidate) -> dict[str, Any]:
    """A candidate as decisions show it; `cost` in USD."""
    model, estimate, cooling, propensity = candidate
    return {
        "provider": model.provider,
        "model": model.name,
        "tier": model.tier,
        "quality": round(estimate.quality, 4),
        "spread": round(estimate.spread, 4),
        "cost": estimate.cost,
        "outcomes": estimate.outcomes,
        "propensity": propensity,
        "cooling": cooling,
    }
