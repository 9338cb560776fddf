"""The money of a request: usage is estimated where the provider reports none, priced, and compared with the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.catalog import PriceTable, cost
from gateway.completion import ChatRequest, Completion, Usage
from gateway.proxy.answering import answer_cost
from gateway.proxy.baseline import Baseline, BaselineCalculator, Settled
from gateway.records import Agreement, Attempt, RequestRecord, RequestStatus
from gateway.routing import POLICY_VERSION, Caller, Plan, Ranking, RoutingMode, prompt_tokens_of
from gateway.savings import ConversationPrefixes, LengthRatios

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

    def __init__(
        self,
        prices: PriceTable,
        *,
        prefixes: ConversationPrefixes | None = None,
        lengths: LengthRatios | None = None,
    ) -> None:
        self._prices = prices
        self._baselines = BaselineCalculator(
            prices, prefixes=prefixes or ConversationPrefixes(), lengths=lengths or LengthRatios()
        )

    def cost(self, usage: Usage, provider: str, model: str, *, at: datetime) -> Decimal | None:
        """USD that `usage` costs at a model; None when its price is unknown."""
        return cost(usage, self._prices.price(provider, model, at))

    def settle(
        self,
        record: RequestRecord,
        *,
        plan: Plan,
        request: ChatRequest,
        attempts: Sequence[Attempt],
        usage: Usage | None,
        at: datetime,
        began: float,
        duration: float,
        status: RequestStatus,
        **ended: Any,
    ) -> RequestRecord:
        """The record with its final members (`ended`), the cost of all attempts, and what the baseline would have cost.

        `began` is monotonic seconds.
        """
        baseline = Baseline()
        if usage is not None:
            baseline = self._baselines.calculate(
                Settled(record, plan, request, attempts, usage, at, began, began + duration, ok=status == "ok")
            )
        return record._replace(
            actual_cost=_total(attempts),
            shadow_cost=self._shadow_cost(record, attempts=attempts, usage=usage, at=at),
            baseline_cost=baseline.cost.middle,
            baseline_cost_low=baseline.cost.low,
            baseline_cost_high=baseline.cost.high,
            evidence=baseline.evidence,
            baseline_usage=baseline.usage,
            cache_miss=None if baseline.missed is None else baseline.missed.reason,
            cache_missed_tokens=None if baseline.missed is None else baseline.missed.loss.tokens,
            cache_loss=None if baseline.missed is None else baseline.missed.loss.usd,
            usage=usage,
            estimated=usage.estimated if usage is not None else record.estimated,
            price_version=self._prices.version,
            attempts=tuple(attempts),
            duration=duration,
            status=status,
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
        return self.cost(usage.at_list_price, record.shadow_provider, record.shadow_model, at=at)


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
        tags=request.hints.tags or {},
        holdback=plan.holdback,
        agreement=_agreement(ranking),
        streamed=request.stream,
        key_id=caller.key_id,
        client_request_id=caller.client_request_id,
        client_retries=caller.retries,
        trace=caller.trace,
    )


def _agreement(ranking: Ranking) -> Agreement | None:
    plan = ranking.agreement
    return (
        None if plan is None else Agreement((plan.first.full_name, plan.partner.full_name), plan.escalation.full_name)
    )


def _strategy_reason(reason: str | None) -> str:
    reason = reason or "unknown"
    return reason if reason.startswith("strategy:") else f"strategy: {reason}"
