"""What a request came to: attempts and usage become costs, costs become the settled row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from gateway.catalog import PriceTable, cost, plain_number
from gateway.completion import ChatRequest, Usage
from gateway.records import Attempt, RequestRecord
from gateway.routing import POLICY_VERSION, Caller, Plan, RoutingMode, prompt_tokens_of

_ROUTER = "openrouter/"  # so begin the ids of OpenRouter's own models, which choose among others

CHARS_PER_TOKEN = 4  # the vendors' rule of thumb for English: https://help.openai.com/en/articles/4936856


def estimated_usage(request: ChatRequest, *, answer_chars: int) -> Usage:
    """Tokens of an answer whose provider told none, or not the last of them."""
    return Usage(
        prompt_tokens=prompt_tokens_of(request), completion_tokens=-(-answer_chars // CHARS_PER_TOKEN), estimated=True
    )


class CostCalculator:
    """Prices usage at the time of the request."""

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices

    def cost(self, usage: Usage, provider: str, model: str, *, at: datetime) -> Decimal | None:
        """USD that `usage` costs at a model; None when its price is unknown."""
        return cost(usage, self._prices.price(provider, model, at))

    def settle(
        self, record: RequestRecord, *, attempts: Sequence[Attempt], usage: Usage | None, at: datetime, **ended: Any
    ) -> RequestRecord:
        """The record with how it `ended` and what that cost: all attempts against the baseline's cost on the same usage.

        The baseline's interval assumes that the baseline model would have written between half and twice as many tokens;
        where baseline and answering model are the same, or the baseline is a router that chose this model, it is exact.
        """
        spent = _total(attempts)
        baseline = (record.baseline_provider, record.baseline_model)
        chose = record.strategy_used == "pinned" and record.baseline_model.startswith(_ROUTER)
        low = middle = high = None
        evidence = None
        if usage is not None:
            if chose or baseline == (record.selected_provider, record.selected_model):
                low = middle = high = answer_cost(attempts, usage)
                evidence = "exact"
            else:
                evidence = "same_usage"
                if (price := self._prices.price(*baseline, at=at)) is not None:
                    low, middle, high = (cost(_scaled(usage, factor), price) for factor in (0.5, 1.0, 2.0))
            if usage.estimated:
                evidence = "estimated"
        return record._replace(
            actual_cost=spent,
            shadow_cost=self._shadow_cost(record, attempts=attempts, usage=usage, at=at),
            baseline_cost=middle,
            baseline_cost_low=low,
            baseline_cost_high=high,
            evidence=evidence,
            usage=usage,
            estimated=usage.estimated if usage is not None else record.estimated,
            price_version=self._prices.version,
            attempts=tuple(attempts),
            **ended,
        )

    def _shadow_cost(
        self, record: RequestRecord, *, attempts: Sequence[Attempt], usage: Usage | None, at: datetime
    ) -> Decimal | None:
        """What the choice that was only noted would have cost on the same usage."""
        if usage is None or record.shadow_provider is None or record.shadow_model is None:
            return None
        if (record.shadow_provider, record.shadow_model) == (record.selected_provider, record.selected_model):
            return answer_cost(attempts, usage)
        return self.cost(usage._replace(reported_cost=None), record.shadow_provider, record.shadow_model, at=at)


def _scaled(usage: Usage, factor: float) -> Usage:
    """With so many times the completion, and without the cost that the provider named for another."""
    return usage._replace(
        completion_tokens=round(usage.completion_tokens * factor),
        completion_audio_tokens=round(usage.completion_audio_tokens * factor),
        completion_image_tokens=round(usage.completion_image_tokens * factor),
        completion_video_tokens=round(usage.completion_video_tokens * factor),
        reported_cost=None,
    )


def answering_attempt(attempts: Sequence[Attempt], usage: Usage | None) -> Attempt | None:
    """The attempt that gave the answer; another may have been tried after it in vain."""
    return next((attempt for attempt in reversed(attempts) if usage is not None and attempt.usage is usage), None)


def answer_cost(attempts: Sequence[Attempt], usage: Usage | None) -> Decimal | None:
    """What the answer itself cost, USD."""
    attempt = answering_attempt(attempts, usage)
    return attempt.cost if attempt is not None else None


def _total(attempts: Sequence[Attempt]) -> Decimal | None:
    """What all attempts cost; None as soon as one that was billed has no known price."""
    total = Decimal(0)
    for attempt in attempts:
        if attempt.cost is None:
            if attempt.usage is not None:
                return None
            continue
        total += attempt.cost
    return total


def openai_usage(record: RequestRecord) -> dict[str, Any]:
    """OpenAI's usage object with OpenRouter's `cost` and our `cost_details` (USD)."""
    usage = record.usage or Usage()
    return {
        **usage.openai(),
        "cost": _number(record.actual_cost),
        "cost_details": {
            "baseline_model": f"{record.baseline_provider}/{record.baseline_model}",
            "baseline_cost": _number(record.baseline_cost),
            "baseline_cost_low": _number(record.baseline_cost_low),
            "baseline_cost_high": _number(record.baseline_cost_high),
            "savings": _number(record.cost_savings),
            "evidence": record.evidence,
        },
    }


def answered_by(record: RequestRecord) -> dict[str, Any]:
    """Who answered, after how many attempts: what the headers of a stream that was opened early could not tell."""
    told: dict[str, Any] = {
        "provider": record.selected_provider,
        "model": record.selected_model,
        "attempts": len(record.attempts) or 1,
        "fallback": record.fallback_used,
    }
    return {**told, "fallback_reason": record.fallback_reason} if record.fallback_used else told


def _number(amount: Decimal | None) -> float | orjson.Fragment | None:
    return None if amount is None else plain_number(float(amount))


def new_record(
    plan: Plan, request: ChatRequest, *, request_id: str, at: datetime, caller: Caller, features: bool
) -> RequestRecord:
    """The row as it is inserted before the first upstream is called; `features`: with what the router saw."""
    ranking, chosen, shadow = plan.ranking, plan.ranking.chosen, plan.shadow
    estimated = ranking if ranking.scored or shadow is None else shadow
    return RequestRecord(
        request_id=request_id,
        timestamp=at.isoformat(timespec="milliseconds"),
        strategy_used=ranking.strategy,
        selected_provider=chosen.provider,
        selected_model=chosen.name,
        baseline_provider=plan.baseline.provider,
        baseline_model=plan.baseline.name,
        confidence=None if plan.pinned else ranking.confidence,
        pattern_detected=ranking.pattern,
        complexity_score=ranking.complexity,
        experimental=bool(ranking.experimental),
        fallback_used=ranking.fallback_used,
        fallback_reason=_strategy_reason(ranking.fallback_reason) if ranking.fallback_used else None,
        auto_route=plan.mode is RoutingMode.AUTO,
        requested_model=request.model,
        reasoning=ranking.reasoning,
        policy_version=POLICY_VERSION,
        propensity=ranking.propensity,
        candidates=estimated.candidates,
        features=estimated.features if features else {},
        session_id=plan.session.session_id if plan.session is not None else request.hints.conversation,
        session_kept=plan.session_kept,
        switch_penalty=plan.switch_penalty,
        cache_marks=plan.breakpoints.placed_by(chosen),
        shadow_provider=shadow.chosen.provider if shadow is not None else None,
        shadow_model=shadow.chosen.name if shadow is not None else None,
        streamed=request.stream,
        key_id=caller.key_id,
        client_request_id=caller.client_request_id,
        client_retries=caller.retries,
    )


def _strategy_reason(reason: str | None) -> str:
    reason = reason or "unknown"
    return reason if reason.startswith("strategy:") else f"strategy: {reason}"
