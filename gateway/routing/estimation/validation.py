"""Validates the outcomes that callers report and converts them to rows of the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gateway.completion import count
from gateway.records import Agreement
from gateway.routing.estimation.agreement import with_derived_label
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.types import Outcome, RoutingDecision
from gateway.store import StoredOutcome

# Upper bounds of a cost (USD) and a latency (seconds); above them the figure is a mistake.
MOST_COST = 1e5
MOST_LATENCY = 1e6


def stored(decision: RoutingDecision, outcome: Outcome) -> StoredOutcome:
    """Raises ValueError for a decision without prompt and features, and for figures out of range."""
    pattern, complexity, features = _prompt_of(decision)
    for name in ("provider", "model"):
        if not isinstance(getattr(decision, name), str) or not getattr(decision, name):
            raise ValueError(f"the decision's {name} must be a name, not {getattr(decision, name)!r}")
    told = StoredOutcome(
        provider=decision.provider,
        model=decision.model,
        pattern=pattern,
        complexity=complexity,
        quality=_number("quality", outcome.quality, most=1.0),
        cost=_number("cost", outcome.cost, most=MOST_COST),
        input_tokens=_tokens("input_tokens", outcome.input_tokens),
        output_tokens=_tokens("output_tokens", outcome.output_tokens),
        latency=_number("latency", outcome.latency, most=MOST_LATENCY),
        error=None if outcome.error is None else str(outcome.error)[:200],
        features=features,
        agreement=_agreement_of(decision, outcome),
    )
    return with_derived_label(told) if outcome.quality is None else told


def _agreement_of(decision: RoutingDecision, outcome: Outcome) -> Agreement | None:
    """The plan of the decision with the result of the comparison; None for a decision without a plan by agreement."""
    plan = (decision.metadata or {}).get("cascade")
    if not isinstance(plan, Mapping) or plan.get("kind") != "agree":
        return None
    models = [_full_name(each) for each in (plan.get("first"), *(plan.get("with") or ()))]
    if None in models or len(models) < 2:
        return None
    return Agreement(tuple(filter(None, models)), _full_name(plan.get("escalate")), outcome.agreed)


def _full_name(model: object) -> str | None:
    if not isinstance(model, Mapping):
        return None
    provider, name = model.get("provider"), model.get("model")
    return f"{provider}/{name}" if isinstance(provider, str) and isinstance(name, str) else None


def _prompt_of(decision: RoutingDecision) -> tuple[str, float, Mapping[str, float]]:
    """Pattern, complexity and features: those of the decision, else computed from the prompt of a hand-made decision."""
    metadata: Mapping[str, Any] = decision.metadata or {}
    pattern, complexity, features = metadata.get("pattern"), metadata.get("complexity"), metadata.get("features")
    if isinstance(features, Mapping) and features and isinstance(pattern, str) and complexity is not None:
        numbers = {name: float(value) for name, value in features.items() if isinstance(value, int | float)}
        return pattern, float(complexity), numbers
    prompt = metadata.get("prompt")
    if not isinstance(prompt, str):
        raise ValueError('the decision was not made by route(): set its metadata["prompt"]')
    facts = prompt_facts(prompt)
    return facts.pattern, facts.complexity, facts.features


def _number(name: str, value: float | None, *, most: float) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not (math.isfinite(number) and 0.0 <= number <= most):
        raise ValueError(f"{name} must be from 0 to {most:g}, not {value!r}")
    return number


def _tokens(name: str, value: int | None) -> int | None:
    if value is None:
        return None
    tokens = count(value)
    if tokens is None:
        raise ValueError(f"{name} must be a count of tokens, not {value!r}")
    return tokens
