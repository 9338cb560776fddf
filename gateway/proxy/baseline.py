"""What a settled request's baseline would have cost, the evidence for it, and why a cached prefix was not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from gateway.catalog import ModelKey, PriceTable
from gateway.completion import ChatRequest, Usage
from gateway.proxy.answering import answering_attempt
from gateway.records import Attempt, RequestRecord
from gateway.routing import Plan
from gateway.savings import (
    FIRST,
    LIFETIME,
    CacheMiss,
    CacheRules,
    ConversationPrefixes,
    CostRange,
    LengthRatios,
    Lengths,
    Prefix,
    Turn,
    baseline_usage,
    breakpoint_lifetime,
    cache_miss,
    digest_of,
    message_hashes,
    price_baseline,
    unremembered,
)

Evidence = Literal["exact", "measured", "modelled", "unknown"]
_ROUTER = "openrouter/"  # prefix of OpenRouter's own models, which choose among others
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Baseline(NamedTuple):
    """The members of a row that concern its baseline; `evidence` is None where no answer was billed."""

    cost: CostRange = CostRange(None, None, None)
    evidence: Evidence | None = None
    usage: Mapping[str, Any] = _NOTHING
    cache_miss: CacheMiss | None = None


class Settled(NamedTuple):
    """A request at its end. `began` and `ended` are monotonic seconds, `at` is the time of its prices; `ok`: it was answered."""

    record: RequestRecord
    plan: Plan
    request: ChatRequest
    attempts: Sequence[Attempt]
    usage: Usage
    at: datetime
    began: float
    ended: float
    ok: bool


class BaselineCalculator:
    """Prices the baseline of settled requests. Remembers the last turn of each conversation in `prefixes`."""

    def __init__(self, prices: PriceTable, *, prefixes: ConversationPrefixes, lengths: LengthRatios) -> None:
        self._prices = prices
        self._prefixes = prefixes
        self._lengths = lengths

    def calculate(self, settled: Settled) -> Baseline:
        record, plan, usage = settled.record, settled.plan, settled.usage
        attempt = answering_attempt(settled.attempts, usage)
        selected = ModelKey(record.selected_provider, record.selected_model)
        answering = selected if attempt is None else ModelKey(attempt.provider, attempt.model)
        prefix, miss = self._conversation(settled, answering)
        baseline = ModelKey(record.baseline_provider, record.baseline_model)
        chose = plan.pinned and baseline.name.startswith(_ROUTER)
        if chose or baseline in (selected, answering):
            cost = attempt.cost if attempt is not None else None
            known = Baseline(CostRange(cost, cost, cost), _evidence_of_same(record, usage), cache_miss=miss)
            known = known if cost is not None else known._replace(evidence="unknown")
            left = prefix.turn is not None and prefix.turn.key != baseline and not record.holdback
            return self._never_left(settled, baseline, prefix, known) if left else known
        return self._modelled(settled, answering, baseline, prefix)._replace(cache_miss=miss)

    def _conversation(self, settled: Settled, answering: ModelKey) -> tuple[Prefix, CacheMiss | None]:
        """What the request repeats of its conversation, and why that was not read; then remembers this turn."""
        session, request, usage = settled.plan.session, settled.request, settled.usage
        if session is None or session.auxiliary:
            return (FIRST if settled.plan.pinned else unremembered(request.messages)), None
        key = (session.key_id, session.conversation)
        hashes = message_hashes(request)
        prefix = self._prefixes.prefix(key, request.messages, hashes, began=settled.began)
        if not settled.ok:
            return prefix, None
        rules = _rules(settled.plan, request, answering)
        miss = None
        if prefix.turn is not None:
            before = _rules(settled.plan, request, prefix.turn.key)
            miss = cache_miss(usage, answering, prefix, rules=rules, rules_before=before)
        breakpoints = settled.plan.breakpoints
        turn = Turn(
            answering,
            usage.prompt_tokens,
            settled.ended,
            messages=len(request.messages),
            digest=digest_of(hashes),
            lifetime=rules.lifetime,
            marked_by_client=breakpoints.client,
            marked_models=breakpoints.models,
        )
        self._prefixes.record(key, turn)
        return prefix, miss

    def _never_left(self, settled: Settled, baseline: ModelKey, prefix: Prefix, known: Baseline) -> Baseline:
        """The baseline answered after another model: it would have had the prefix in its cache, had it answered that turn too."""
        prompt, _ = self._ratios(settled, prefix, baseline)
        stored = baseline_usage(
            settled.usage,
            baseline,
            rules=_rules(settled.plan, settled.request, baseline),
            prefix=prefix,
            prefix_ratio=prompt.middle,
        )
        price = self._prices.price(*baseline, at=settled.at)
        if price is None or stored.get("cached_tokens", 0) <= settled.usage.cached_tokens:
            return known
        return known._replace(cost=price_baseline(stored, price), evidence="modelled", usage=stored)

    def _modelled(self, settled: Settled, answering: ModelKey, baseline: ModelKey, prefix: Prefix) -> Baseline:
        pattern = (settled.plan.shadow or settled.plan.ranking).pattern or ""
        prompt, completion = self._lengths.ratios.of(answering, baseline, pattern=pattern)
        limit = settled.request.output_limit
        stored = baseline_usage(
            settled.usage,
            baseline,
            rules=_rules(settled.plan, settled.request, baseline),
            prefix=prefix,
            prefix_ratio=self._ratios(settled, prefix, baseline)[0].middle,
            lengths=Lengths(prompt, completion, None if limit is None else limit * settled.request.choices),
        )
        cost = price_baseline(stored, self._prices.price(*baseline, at=settled.at))
        return Baseline(cost, "unknown" if cost.middle is None else "modelled", stored)

    def _ratios(self, settled: Settled, prefix: Prefix, baseline: ModelKey) -> tuple[Any, Any]:
        before = prefix.turn.key if prefix.turn is not None else baseline
        return self._lengths.ratios.of(before, baseline, pattern=settled.plan.ranking.pattern or "")


def _evidence_of_same(record: RequestRecord, usage: Usage) -> Evidence:
    if usage.estimated:
        return "modelled"
    return "measured" if record.holdback else "exact"


def _rules(plan: Plan, request: ChatRequest, key: ModelKey) -> CacheRules:
    breakpoints = plan.breakpoints
    minimum = breakpoints.minimum(*key)
    lifetime = breakpoint_lifetime(request) if breakpoints.client and minimum is not None else LIFETIME
    return CacheRules(minimum, breakpoints.client or key in breakpoints.models, lifetime)
