"""What a settled request's baseline would have cost, the evidence for it, and why a cached prefix was not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from gateway.catalog import ModelKey, PriceTable
from gateway.catalog.service_tier import STANDARD_RATES, rate_factor
from gateway.completion import ChatRequest, Usage
from gateway.proxy.answering import answering_attempt
from gateway.records import Attempt, RequestRecord
from gateway.routing import Plan, SessionLookup
from gateway.savings import (
    FIRST,
    LIFETIME,
    CacheLoss,
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
    cache_loss,
    cache_miss,
    digest_of,
    message_hashes,
    price_baseline,
    stored_usage,
    unremembered,
)

Evidence = Literal["exact", "measured", "modelled", "unknown"]
_ROUTER = "openrouter/"  # prefix of OpenRouter's own models, which choose among others
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class PrefixLoss(NamedTuple):
    """Why a turn did not read its conversation's prefix from a cache, and what that lost."""

    reason: CacheMiss
    loss: CacheLoss


class Baseline(NamedTuple):
    """The members of a row that concern its baseline; `evidence` is None where no answer was billed."""

    cost: CostRange = CostRange(None, None, None)
    evidence: Evidence | None = None
    usage: Mapping[str, Any] = _NOTHING
    missed: PrefixLoss | None = None


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
        record, plan = settled.record, settled.plan
        attempt = answering_attempt(settled.attempts, settled.usage)
        selected = ModelKey(record.selected_provider, record.selected_model)
        answering = selected if attempt is None else ModelKey(attempt.provider, attempt.model)
        baseline = ModelKey(record.baseline_provider, record.baseline_model)
        same = baseline in (selected, answering) or (plan.pinned and baseline.name.startswith(_ROUTER))
        if plan.session is None or plan.session.auxiliary:
            prefix, missed = FIRST if same else unremembered(settled.request.messages), None
        else:
            prefix, missed = self._conversation(settled, plan.session, answering)
        if not same:
            return self._modelled(settled, answering, baseline, prefix, missed)
        cost = attempt.cost if attempt is not None else None
        if settled.request.body.get("service_tier") is None and settled.usage.rate_factor != STANDARD_RATES:
            return self._at_list_price(settled, baseline, missed)
        evidence: Evidence = "unknown" if cost is None else _evidence_of_same(record, settled.usage)
        known = Baseline(CostRange(cost, cost, cost), evidence, _NOTHING, missed)
        if prefix.turn is None or prefix.turn.key == baseline or record.holdback:
            return known
        return self._never_left(settled, baseline, prefix, known)

    def _conversation(
        self, settled: Settled, session: SessionLookup, answering: ModelKey
    ) -> tuple[Prefix, PrefixLoss | None]:
        """What the request repeats of its conversation, and why that was not read; then remembers this turn."""
        request, usage, breakpoints = settled.request, settled.usage, settled.plan.breakpoints
        key = (session.key_id, session.conversation)
        hashes = message_hashes(request)
        prefix = self._prefixes.prefix(key, request.messages, hashes, began=settled.began)
        if not settled.ok:
            return prefix, None
        missed = self._missed(settled, answering, prefix)
        turn = Turn(
            answering,
            usage.prompt_tokens,
            settled.ended,
            messages=len(request.messages),
            digest=digest_of(hashes),
            lifetime=breakpoint_lifetime(request) if breakpoints.client else LIFETIME,
            marked_by_client=breakpoints.client,
            marked_models=breakpoints.models,
        )
        self._prefixes.record(key, turn)
        return prefix, missed

    def _missed(self, settled: Settled, answering: ModelKey, prefix: Prefix) -> PrefixLoss | None:
        if prefix.turn is None:
            return None
        rules, before = _rules(settled, answering), _rules(settled, prefix.turn.key)
        reason = cache_miss(settled.usage, answering, prefix, rules=rules, rules_before=before)
        if reason is None:
            return None
        tokens = round(prefix.turn.tokens * self._prefix_ratio(prefix, answering))
        return PrefixLoss(reason, cache_loss(tokens, settled.usage, self._prices.price(*answering, at=settled.at)))

    def _never_left(self, settled: Settled, baseline: ModelKey, prefix: Prefix, known: Baseline) -> Baseline:
        """The baseline answered after another model: it would have had the prefix in its cache, had it answered that turn too."""
        stored = self._usage(settled, baseline, prefix)
        price = self._prices.price(*baseline, at=settled.at)
        if price is None or stored.get("cached_tokens", 0) <= settled.usage.cached_tokens:
            return known
        return known._replace(cost=price_baseline(stored, price), evidence="modelled", usage=stored)

    def _at_list_price(self, settled: Settled, baseline: ModelKey, missed: PrefixLoss | None) -> Baseline:
        """The baseline itself answered, in a tier that the gateway chose: without the gateway it has the usual price."""
        stored = stored_usage(settled.usage)
        cost = price_baseline(stored, self._prices.price(*baseline, at=settled.at))
        return Baseline(cost, "unknown" if cost.middle is None else "modelled", stored, missed)

    def _modelled(
        self, settled: Settled, answering: ModelKey, baseline: ModelKey, prefix: Prefix, missed: PrefixLoss | None
    ) -> Baseline:
        pattern = (settled.plan.shadow or settled.plan.ranking).pattern or ""
        prompt, completion = self._lengths.ratios.of(answering, baseline, pattern=pattern)
        limit = settled.request.output_limit
        lengths = Lengths(prompt, completion, None if limit is None else limit * settled.request.choices)
        stored = self._usage(settled, baseline, prefix, lengths)
        cost = price_baseline(stored, self._prices.price(*baseline, at=settled.at))
        return Baseline(cost, "unknown" if cost.middle is None else "modelled", stored, missed)

    def _usage(
        self,
        settled: Settled,
        baseline: ModelKey,
        prefix: Prefix,
        lengths: Lengths = Lengths(),  # noqa: B008 - immutable
    ) -> dict[str, Any]:
        return baseline_usage(
            settled.usage,
            baseline,
            rules=_rules(settled, baseline),
            prefix=prefix,
            prefix_ratio=self._prefix_ratio(prefix, baseline),
            lengths=lengths,
            rate_factor=_client_factor(settled, baseline),
        )

    def _prefix_ratio(self, prefix: Prefix, model: ModelKey) -> float:
        """A model's prompt tokens per token of the model that answered the last turn."""
        if prefix.turn is None:
            return 1.0
        prompt, _ = self._lengths.ratios.of(prefix.turn.key, model, pattern="")
        return prompt.middle


def _evidence_of_same(record: RequestRecord, usage: Usage) -> Evidence:
    if usage.estimated:
        return "modelled"
    return "measured" if record.holdback else "exact"


def _client_factor(settled: Settled, key: ModelKey) -> Decimal:
    """That of the service tier which the client itself named: without the gateway it would have had the same one."""
    return rate_factor(key.provider, settled.request.body.get("service_tier"))


def _rules(settled: Settled, key: ModelKey) -> CacheRules:
    breakpoints = settled.plan.breakpoints
    minimum = breakpoints.minimum(*key)
    lifetime = breakpoint_lifetime(settled.request) if breakpoints.client and minimum is not None else LIFETIME
    return CacheRules(minimum, breakpoints.client or key in breakpoints.models, lifetime)
