"""The money of a request: usage is estimated where the provider reports none, priced, and compared with the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.catalog import PriceTable, cost
from gateway.completion import ChatRequest, Completion, Usage
from gateway.records import Attempt, RequestRecord
from gateway.routing import POLICY_VERSION, Caller, Plan, RoutingMode, prompt_tokens_of

_ROUTER = "openrouter/"  # prefix of OpenRouter's own models, which choose among others

CHARS_PER_TOKEN = 4  # the vendors' rule of thumb for English: https://help.openai.com/en/articles/4936856
# About 1,300 tokens, the price of a picture of 1024 x 1024: https://ai.google.dev/gemini-api/docs/pricing
IMAGE_CHARS = 1_300 * CHARS_PER_TOKEN


class ReceivedAnswer(NamedTuple):
    """What was received of an answer: `usage` if the provider reported it, characters of output, kinds of content that were dropped."""

    usage: Usage | None = None
    chars: int = 0
    dropped: Sequence[str] = ()


def received(completion: Completion) -> ReceivedAnswer:
    """All of a completion."""
    chars = 0
    if completion.usage is None:
        chars = sum(message_chars(choice.get("message") or {}) for choice in completion.choices)
    return ReceivedAnswer(completion.usage, chars, completion.dropped)


def message_chars(message: Mapping[str, Any]) -> int:
    """Characters of a message or delta that are billed as output, roughly."""
    chars = len(message.get("content") or "") + len(message.get("reasoning_content") or "")
    for call in message.get("tool_calls") or ():
        chars += len((call.get("function") or {}).get("arguments") or "")
    return chars + IMAGE_CHARS * len(message.get("images") or ())


def usage_of(request: ChatRequest, answer: ReceivedAnswer) -> Usage:
    """The provider's usage, else an estimate from the prompt and the characters received."""
    if answer.usage is not None:
        return answer.usage
    completion_tokens = -(-answer.chars // CHARS_PER_TOKEN)
    return Usage(prompt_tokens=prompt_tokens_of(request), completion_tokens=completion_tokens, estimated=True)


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
        """The record with its final members (`ended`), the cost of all attempts, and the baseline's cost on the same usage.

        The baseline's interval assumes that the baseline model would have written between half and twice as many tokens.
        It is exact if the baseline is the answering model, or a router that chose it.
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
        """The cost of the shadow decision's model on the same usage."""
        if usage is None or record.shadow_provider is None or record.shadow_model is None:
            return None
        if (record.shadow_provider, record.shadow_model) == (record.selected_provider, record.selected_model):
            return answer_cost(attempts, usage)
        return self.cost(usage._replace(reported_cost=None), record.shadow_provider, record.shadow_model, at=at)


def _scaled(usage: Usage, factor: float) -> Usage:
    """The usage with `factor` times the completion, without the cost that the provider reported for its own."""
    return usage._replace(
        completion_tokens=round(usage.completion_tokens * factor),
        completion_audio_tokens=round(usage.completion_audio_tokens * factor),
        completion_image_tokens=round(usage.completion_image_tokens * factor),
        completion_video_tokens=round(usage.completion_video_tokens * factor),
        reported_cost=None,
    )


def answering_attempt(attempts: Sequence[Attempt], usage: Usage | None) -> Attempt | None:
    """The attempt whose answer was used; a later one may have failed."""
    return next((attempt for attempt in reversed(attempts) if usage is not None and attempt.usage is usage), None)


def answer_cost(attempts: Sequence[Attempt], usage: Usage | None) -> Decimal | None:
    """Cost of the answering attempt, USD."""
    attempt = answering_attempt(attempts, usage)
    return attempt.cost if attempt is not None else None


def _total(attempts: Sequence[Attempt]) -> Decimal | None:
    """Cost of all attempts, USD; None if a billed one has no known price."""
    if any(attempt.cost is None and attempt.usage is not None for attempt in attempts):
        return None
    return sum((attempt.cost for attempt in attempts if attempt.cost is not None), Decimal(0))


def new_record(
    plan: Plan, request: ChatRequest, *, endpoint: str, request_id: str, at: datetime, caller: Caller, features: bool
) -> RequestRecord:
    """The row as it is inserted before the first upstream is called; `features`: with what the router saw."""
    ranking, chosen, shadow = plan.ranking, plan.ranking.chosen, plan.shadow
    estimated = ranking if ranking.order or shadow is None else shadow
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
        endpoint=endpoint,
        holdback=plan.holdback,
        streamed=request.stream,
        key_id=caller.key_id,
        client_request_id=caller.client_request_id,
        client_retries=caller.retries,
    )


def _strategy_reason(reason: str | None) -> str:
    reason = reason or "unknown"
    return reason if reason.startswith("strategy:") else f"strategy: {reason}"
