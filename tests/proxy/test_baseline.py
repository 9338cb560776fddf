"""What the baseline of a settled request would have cost, and the evidence for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from gateway.catalog import ModelKey
from gateway.catalog.packaged import load_prices
from gateway.completion import ChatRequest, Usage
from gateway.proxy.settlement import CostCalculator, new_record
from gateway.records import Attempt, RequestRecord, RequestStatus
from gateway.resilience import Candidate
from gateway.routing import CacheBreakpoints, Caller, Plan, Ranking, RoutingContext, RoutingMode, SessionLookup
from gateway.savings import AnswerLength, LengthRatios
from tests.conftest import MakeGateway
from tests.proxy.transactions import AT
from tests.upstreams import answer

SONNET = ModelKey(
    "claude", "claude-sonnet-5-5"
)  # 2 USD for a million tokens of input, 10 of output; 0.1 read, 2.5 written
HAIKU = ModelKey("claude", "claude-haiku-4-5")
FLASH = ModelKey("gemini", "gemini-2.5-flash-lite")
ROUTER = ModelKey("openrouter", "openrouter/auto")
HELLO = {"role": "user", "content": "Hello"}
MORE = [HELLO, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "More"}]
USAGE = Usage(10_000, 100)


def needs_marks(provider: str, _: str) -> int | None:
    return 1_024 if provider == "claude" else None


class Conversation:
    """Requests of one conversation, each settled by the gateway's code; `began` is the next one's beginning in seconds."""

    def __init__(self, *, baseline: ModelKey = SONNET, lengths: LengthRatios | None = None) -> None:
        self.calculator = CostCalculator(load_prices(), lengths=lengths)
        self.baseline = baseline
        self.began = 0.0
        self.lookup: SessionLookup | None = SessionLookup("s-1", "s-1")
        self.breakpoints = CacheBreakpoints(models=frozenset({SONNET, HAIKU}), minimum=needs_marks)

    def settle(
        self,
        selected: ModelKey,
        usage: Usage | None = USAGE,
        *,
        messages: Sequence[dict[str, Any]] = (HELLO,),
        strategy: str = "hybrid",
        body: dict[str, Any] | None = None,
        failed: Attempt | None = None,
        status: RequestStatus = "ok",
        **members: Any,
    ) -> RequestRecord:
        request = ChatRequest(body=body or {}, model="auto", messages=messages)
        plan = Plan(
            Ranking(selected, strategy, "low", "", pattern="code"),
            (Candidate(*selected),),
            self.baseline,
            RoutingContext(prompt=""),
            RoutingMode.AUTO,
            session=self.lookup,
            breakpoints=self.breakpoints,
        )
        record = new_record(plan, request, endpoint="chat", request_id="r", at=AT, caller=Caller(), features=True)
        cost = None if usage is None else self.calculator.cost(usage, *selected, at=AT)
        attempts = [*([failed] if failed else []), Attempt(2, *selected, cost=cost, usage=usage)]
        settled = self.calculator.settle(
            record._replace(**members),
            plan=plan,
            request=request,
            attempts=attempts,
            usage=usage,
            at=AT,
            began=self.began,
            duration=1.0,
            status=status,
        )
        self.began += 10.0
        return settled


def test_the_baseline_itself_is_exact() -> None:
    """Its cost is the answer's own, without an interval or a usage of its own; a first turn has no miss."""
    row = Conversation().settle(SONNET)
    assert (row.evidence, row.baseline_usage, row.cache_miss) == ("exact", {}, None)
    assert (row.cache_missed_tokens, row.cache_loss) == (None, None)
    assert row.baseline_cost == row.baseline_cost_low == row.baseline_cost_high == row.actual_cost == Decimal("0.021")


@pytest.mark.parametrize(
    ("members", "usage", "evidence"),
    [({"holdback": True}, USAGE, "measured"), ({}, USAGE._replace(estimated=True), "modelled"), ({}, None, None)],
)
def test_the_words_of_evidence(members: dict[str, Any], usage: Usage | None, evidence: str | None) -> None:
    """A draw measures, an estimated usage is modelled, and a request that nobody answered has no evidence."""
    row = Conversation().settle(SONNET, usage, **members)
    assert row.evidence == evidence
    assert (row.baseline_cost is None) == (usage is None)


def test_a_router_that_chose_is_its_own_baseline() -> None:
    """A named router answers with the model that it chose; its cost is what the provider reports."""
    conversation = Conversation(baseline=ROUTER)
    reported = USAGE._replace(reported_cost=Decimal("0.5"))
    row = conversation.settle(ModelKey("openrouter", "qwen/qwen3.8-flash"), reported, strategy="pinned")
    assert (row.evidence, row.baseline_cost) == ("exact", Decimal("0.5"))


def test_unknown_prices_have_no_cost() -> None:
    """Neither a baseline without a price nor an answer without one costs zero."""
    nobody = ModelKey("claude", "claude-nobody-knows")
    for selected in (FLASH, nobody):
        row = Conversation(baseline=nobody).settle(selected)
        assert (row.evidence, row.baseline_cost, row.baseline_cost_high) == ("unknown", None, None)


def test_a_warm_baseline_costs_less_than_the_same_tokens() -> None:
    """Two turns by Flash: Sonnet would have read the first turn from its cache in the second."""
    conversation = Conversation()
    conversation.settle(FLASH)
    row = conversation.settle(FLASH, Usage(12_000, 100), messages=MORE)
    assert row.evidence == "modelled"
    assert (row.baseline_usage["cached_tokens"], row.baseline_usage["cache_write_tokens"]) == (10_000, 2_000)
    assert row.baseline_cost == Decimal("0.007")
    assert row.baseline_cost_low is not None
    assert row.baseline_cost_high is not None
    assert row.baseline_cost_low < row.baseline_cost < row.baseline_cost_high


def test_the_baseline_after_another_model_would_have_been_warm() -> None:
    """Sonnet answers after Flash and has to write the whole prompt; had it answered before, it would have read most of it."""
    conversation = Conversation()
    conversation.settle(FLASH)
    row = conversation.settle(SONNET, Usage(12_000, 100, cache_write_tokens=12_000), messages=MORE)
    assert (row.evidence, row.cache_miss) == ("modelled", "switched_model")
    assert (row.cache_missed_tokens, row.cache_loss) == (10_000, Decimal("0.024"))
    assert (row.actual_cost, row.baseline_cost) == (Decimal("0.031"), Decimal("0.007"))
    assert row.baseline_cost_low == row.baseline_cost_high == row.baseline_cost


def test_a_draw_is_never_modelled() -> None:
    """What the holdback measures stays as it was measured, and so does a turn that read what there was."""
    conversation = Conversation()
    conversation.settle(FLASH)
    row = conversation.settle(SONNET, messages=MORE, holdback=True)
    assert (row.evidence, row.cache_miss) == ("measured", "switched_model")
    assert Conversation().settle(FLASH, Usage(500, 10)).baseline_usage["cache"] == "none"


def test_a_small_prefix_is_no_reason_to_model() -> None:
    """Sonnet after Flash with prompts below the cacheable size: its own cost is exact."""
    conversation = Conversation()
    conversation.settle(FLASH, Usage(500, 10))
    assert conversation.settle(SONNET, Usage(600, 10), messages=MORE).evidence == "exact"


def test_the_length_ratio_is_applied() -> None:
    """Where Sonnet is known to write three times as much as Flash, the baseline has about three times the tokens."""
    lengths = LengthRatios()
    lengths.learn(
        AnswerLength(key, "code", 0.0, tokens) for key, tokens in ((FLASH, 100), (SONNET, 300)) for _ in range(500)
    )
    lengths.publish()
    conversation = Conversation(lengths=lengths)
    row = conversation.settle(FLASH)
    assert row.baseline_usage["completion_tokens"] == pytest.approx(300, abs=15)
    assert conversation.settle(FLASH, body={"max_tokens": 120, "n": 2}).baseline_usage["completion_tokens"] == 240


def test_failed_attempts_are_actual_cost_only() -> None:
    """A call that failed and may be billed is paid by the router, not by the baseline."""
    failed = Attempt(1, *HAIKU, status="unknown_estimated", cost=Decimal("0.01"), usage=Usage(10_000, estimated=True))
    row = Conversation().settle(SONNET, failed=failed)
    assert (row.actual_cost, row.baseline_cost) == (Decimal("0.031"), Decimal("0.021"))
    assert row.cost_savings == Decimal("-0.01")


def test_requests_outside_a_conversation_are_cold() -> None:
    """Without a session, and for a client's auxiliary calls, nothing is known or remembered."""
    conversation = Conversation()
    conversation.lookup = None
    assert conversation.settle(FLASH, messages=MORE).baseline_usage["cache"] == "unknown"
    conversation.lookup = SessionLookup("s-1", "s-1", auxiliary=True)
    conversation.settle(FLASH)
    assert conversation.settle(FLASH).baseline_usage["cache"] == "cold"


def test_a_turn_that_was_cut_leaves_no_cache() -> None:
    """Only an answered turn is remembered."""
    conversation = Conversation()
    assert conversation.settle(FLASH, status="cancelled").cache_miss is None
    assert conversation.settle(FLASH, messages=MORE).baseline_usage["cache"] == "unknown"


def test_the_clients_breakpoints_and_their_lifetime_count() -> None:
    """Breakpoints of an hour are written at their own rate and still there after ten minutes."""
    conversation = Conversation()
    conversation.breakpoints = replace(conversation.breakpoints, client=True, models=frozenset())
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    first = conversation.settle(HAIKU, body=hour)
    assert first.baseline_usage["cache_write_1h_tokens"] == 10_000
    conversation.began = 600.0
    row = conversation.settle(HAIKU, Usage(12_000, 100, cached_tokens=10_000), messages=MORE, body=hour)
    assert (row.baseline_usage["cached_tokens"], row.cache_miss) == (10_000, None)


def test_served_rows_say_what_they_were_priced_on(make_gateway: MakeGateway) -> None:
    """Through the whole gateway: the second turn of an `auto` conversation has a warm baseline; both rows keep its usage."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        return answer("Yes.", prompt_tokens=5_000, completion_tokens=50)(request)

    gateway = make_gateway(upstream, config="baseline: gemini/gemini-2.5-pro\n")
    turns = [[HELLO], MORE]
    for messages in turns:
        response = gateway.ask(model="auto", messages=messages, routing={"session_id": "mine"})
        details = response.json()["usage"]["cost_details"]
        assert details["evidence"] == "modelled"
        assert details["baseline_cost_low"] < details["baseline_cost"] < details["baseline_cost_high"]
    first, second = (gateway.store.request(row["request_id"]) for row in gateway.rows)
    assert first is not None
    assert second is not None
    assert (first["baseline_usage"]["cache"], second["baseline_usage"]["cache"]) == ("cold", "warm")
    assert second["baseline_usage"]["cached_tokens"] == 5_000
