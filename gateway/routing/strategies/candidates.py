"""Which models may answer a request: those that can do what it needs within what its context allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.catalog import Catalog, Model
from gateway.errors import NoRoute
from gateway.routing.learning.estimates import Estimate, Estimates
from gateway.routing.learning.usage import EXPECTED_OUTPUT
from gateway.routing.models import PromptFacts, RoutingContext


@dataclass(frozen=True, slots=True)
class Candidate:
    """`cooling` candidates are tried last, never left out. `propensity` is the chance that this one was drawn."""

    model: Model
    estimate: Estimate
    cooling: bool = False
    propensity: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        return self.model.provider, self.model.name

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
    found: list[Candidate] = []
    ruled_out: Counter[str] = Counter()
    longest = _longest_output(request)
    estimate = request.estimates.on(request.facts, max_tokens=request.context.max_tokens)
    for model in request.catalog:
        reason = _unable(model, request, longest=longest)
        if reason is None:
            candidate = _candidate(model, request.context, estimate(model))
            reason = _too_dear_or_poor(candidate, request.context)
            if reason is None:
                found.append(candidate)
                continue
        ruled_out[reason] += 1
    if found:
        return found
    raise NoRoute(_nothing(ruled_out))


def objection(provider: str, name: str, request: Request) -> str | None:
    """Why this model may not answer this request; None when it may."""
    model = request.catalog.get(provider, name)
    if model is None:
        return f"{provider}/{name} is not in the catalogue"
    _, reason = judged(model, request)
    return f"{model.full_name}: {reason}" if reason else None


def judged(model: Model, request: Request) -> tuple[Candidate, str | None]:
    """One model as a candidate, and why it may not answer; None when it may."""
    estimate = request.estimates.of(model, request.facts, max_tokens=request.context.max_tokens)
    candidate = _candidate(model, request.context, estimate)
    unable = _unable(model, request, longest=_longest_output(request))
    return candidate, unable or _too_dear_or_poor(candidate, request.context)


def _candidate(model: Model, context: RoutingContext, estimate: Estimate) -> Candidate:
    if surcharge := context.surcharges.get((model.provider, model.name)):
        estimate = replace(estimate, cost=max(0.0, estimate.cost + surcharge))
    cooling = bool(context.cooling) and not context.cooling.isdisjoint(
        ((model.provider, None), (model.provider, model.name))
    )
    return Candidate(model, estimate, cooling)


def _unable(model: Model, request: Request, *, longest: int | None) -> str | None:
    context = request.context
    if model.provider not in context.available_providers:
        return "its provider is not available"
    if context.models is not None and not _named(model, context.models, request.catalog.aliases):
        return "it is not among the models asked for"
    if not model.can(context.needs):
        return f"it cannot do {', '.join(sorted(context.needs - (model.abilities or frozenset())))}"
    if not _answers_at_length(model, context, longest=longest):
        return f"it cannot answer {context.max_tokens} tokens"
    if not _fits(model, request):
        return "the prompt and its answer do not fit its context window"
    return None


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


def _answers_at_length(model: Model, context: RoutingContext, *, longest: int | None) -> bool:
    if context.max_tokens is None or model.max_output is None or longest is None:
        return True
    return model.max_output >= min(context.max_tokens, longest)


def _longest_output(request: Request) -> int | None:
    """The longest answer that any available model can give: who asks for more gets that. None when one has no known limit."""
    limits = [model.max_output for model in request.catalog if model.provider in request.context.available_providers]
    known = [limit for limit in limits if limit is not None]
    return max(known, default=None) if len(known) == len(limits) else None


def _fits(model: Model, request: Request) -> bool:
    if model.context_window is None:
        return True
    asked = request.context.max_tokens
    answer = EXPECTED_OUTPUT if asked is None else min(asked, EXPECTED_OUTPUT)
    return request.facts.tokens + answer <= model.context_window


def _nothing(ruled_out: Counter[str]) -> str:
    if not ruled_out:
        return "The catalogue lists no model."
    reasons = "; ".join(f"{count} because {reason}" for reason, count in ruled_out.most_common(5))
    return f"No model can take this request. Ruled out: {reasons}."


def shown(candidate: Candidate) -> dict[str, Any]:
    """A candidate as decisions show it; `cost` in USD."""
    estimate = candidate.estimate
    return {
        "provider": candidate.model.provider,
        "model": candidate.model.name,
        "tier": candidate.model.tier,
        "quality": round(estimate.quality, 4),
        "spread": round(estimate.spread, 4),
        "cost": estimate.cost,
        "outcomes": estimate.outcomes,
        "propensity": candidate.propensity,
        "cooling": candidate.cooling,
    }
