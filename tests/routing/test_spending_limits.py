"""What a request may cost at most, and which models its key leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.accounts.budgets import GLOBAL, Budget, Hold
from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.catalog import Price, PriceTable, Rate
from gateway.catalog.catalog import Catalog, Model
from gateway.completion import ChatRequest, RoutingHints
from gateway.errors import Forbidden
from gateway.resilience import Candidate
from gateway.routing import RoutingContext
from gateway.routing.spending_limits import OUTPUT_CAPS, Reservation, SpendingLimits

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BUDGET = Budget(10**9, "day")
KEY = VirtualKey(id="key_1", name="team", digest=digest_of("one"), last4="-one", created=NOW)
FLASH, PRO = Candidate("gemini", "flash"), Candidate("gemini", "pro")
OPUS, QWEN = Candidate("claude", "opus"), Candidate("openrouter", "qwen/qwen")
UNPRICED = Candidate("openrouter", "new/one")
CATALOG = Catalog(
    [
        Model("gemini", "flash", "simple", 1.0, 10.0, max_output=60_000),
        Model("gemini", "pro", "moderate", 2.0, 20.0, max_output=60_000),
        Model("claude", "opus", "complex", 5.0, 50.0, max_output=1_000),
    ],
    providers=["openrouter"],
)


def rate(figure: int, *tiers: tuple[int, int]) -> Rate:
    return Rate(Decimal(figure), tuple((above, Decimal(dearer)) for above, dearer in tiers))


PRICES = PriceTable({}, version="2026-11-22").with_own(
    {
        ("gemini", "flash"): Price(rate(1, (1_000, 2)), rate(10, (1_000, 30))),
        ("gemini", "pro"): Price(rate(2), rate(20)),
        ("claude", "opus"): Price(rate(5), rate(50), cache_write=rate(6), cache_write_1h=rate(10)),
        ("openrouter", "qwen/qwen"): Price(rate(1), rate(1)),
    }
)


def asking(text: str = "Hi", **body: Any) -> ChatRequest:
    messages = [{"role": "user", "content": text}]
    return ChatRequest(body={"messages": messages, **body}, model="auto", messages=messages)


def spending_limits(**options: Any) -> SpendingLimits:
    return SpendingLimits(PRICES, CATALOG, now=lambda: NOW, **options)


def reservation(*candidates: Candidate, request: ChatRequest | None = None, **limits: Any) -> Reservation:
    key = replace(KEY, **{"budget": BUDGET, **limits})
    found = spending_limits().reservation_for(candidates, request or asking(max_tokens=100), key=key)[1]
    assert found is not None
    return found


def test_without_limits_nothing_is_held() -> None:
    """Without a key, or with one that has no budget, all candidates stay and nothing is held."""
    for key in (None, KEY, replace(KEY, rpm=5)):
        assert spending_limits().reservation_for([FLASH, OPUS], asking(), key=key) == ((FLASH, OPUS), None)


def test_what_is_held() -> None:
    """Held is what the prompt costs, with a margin, and the longest answer that was asked for, by every account concerned."""
    left, found = spending_limits(daily=BUDGET).reservation_for(
        [PRO], asking(max_tokens=100), key=replace(KEY, budget=BUDGET)
    )
    assert left == (PRO,)
    assert found is not None
    assert [hold.account for hold in found.holds] == ["key_1", GLOBAL]
    (option,) = found.options
    assert option.max_output is None
    prompt = option.amount_nano - 100 * 20_000
    assert 2_000 <= prompt <= 50_000
    assert {hold.amounts_nano for hold in found.holds} == {(option.amount_nano,)}


@pytest.mark.parametrize(
    ("body", "least"),
    [
        ({"max_completion_tokens": 100, "max_tokens": 5}, 100 * 20_000),
        ({"max_tokens": 100, "n": 8}, 800 * 20_000),
        ({"max_tokens": 900_000}, 60_000 * 20_000),
        ({"max_tokens": 1, "tools": [{"type": "function", "function": {"name": "f" * 4_000}}]}, 1_000 * 2_000),
    ],
    ids=["the newer limit", "several answers", "the model's own limit", "tools"],
)
def test_what_the_bill_will_count(body: dict[str, Any], least: int) -> None:
    """Everything that the bill counts is held: several answers, tools, up to what the model can answer at all."""
    (option,) = reservation(PRO, request=asking(**body)).options
    assert least <= option.amount_nano < 1.4 * least + 100_000


def test_the_rates_of_the_prompts_size() -> None:
    """A long prompt is held at the rates of its size, and at those of writing it into a cache."""
    (dear,) = reservation(FLASH, request=asking("word " * 2_000, max_tokens=100)).options
    assert dear.amount_nano > 100 * 30_000 + 2_000 * 2_000
    (cached,) = reservation(OPUS, request=asking("word " * 2_000, max_tokens=1)).options
    assert cached.amount_nano > 2_000 * 10_000


def test_the_dearest_that_would_be_tried() -> None:
    """Held is for the dearest of the first three; later ones that are dearer are left out, and the first alone is the last offer."""
    found = reservation(QWEN, FLASH, PRO, OPUS, request=asking(max_tokens=1_000))
    assert [option.candidates for option in found.options] == [(QWEN, FLASH, PRO), (QWEN,)]
    assert found.options[0].amount_nano > 1_000 * 20_000
    assert found.options[1].amount_nano < 1_000 * 1_100


def test_answers_without_a_limit() -> None:
    """A client that sets no limit is held at the longest answer, then at shorter ones, which are then what is asked for."""
    found = reservation(FLASH, request=asking())
    assert [option.max_output for option in found.options] == [None, *OUTPUT_CAPS]
    amounts = [option.amount_nano for option in found.options]
    assert amounts == sorted(amounts, reverse=True)
    assert found.options[0].applied(asking()) == asking()
    assert found.options[2].applied(asking()).body["max_completion_tokens"] == 4_096


def test_a_model_without_a_known_limit() -> None:
    """Where nobody knows how long an answer may be, it is always limited."""
    assert [option.max_output for option in reservation(QWEN, request=asking()).options] == list(OUTPUT_CAPS)


def test_unknown_prices() -> None:
    """A model whose price is not known cannot be held to a budget: others answer, and alone it is refused."""
    assert reservation(UNPRICED, FLASH).options[0].candidates == (FLASH,)
    with pytest.raises(Forbidden, match="price of openrouter/new/one is not known") as refused:
        reservation(UNPRICED)
    assert refused.value.code == "price_unknown"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"service_tier": "priority"}, "service_tier"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"plugins": [{"id": "web"}]}, "plugins"),
    ],
)
def test_what_has_no_rates(body: dict[str, Any], param: str) -> None:
    """What the price table has no rates for is refused within a budget, naming it."""
    with pytest.raises(Forbidden) as refused:
        reservation(FLASH, request=asking(max_tokens=5, **body))
    assert (refused.value.param, refused.value.code) == (param, "price_unknown")


def test_max_cost() -> None:
    """A limit for one request leaves out what may cost more, shortens answers that have no limit, and refuses the rest."""
    most = 15_000_000
    found = reservation(OPUS, PRO, FLASH, request=asking(max_tokens=1_000), budget=None, max_cost_nano=most)
    assert found.options[0].candidates == (FLASH,)
    assert found.holds == ()
    shortened = reservation(FLASH, OPUS, request=asking(), budget=None, max_cost_nano=most).options[0]
    assert (shortened.candidates, shortened.max_output) == ((FLASH,), 1_024)
    with pytest.raises(Forbidden, match=r"this key.s limit for one is 0\.015") as refused:
        reservation(FLASH, request=asking(max_tokens=50_000), budget=None, max_cost_nano=most)
    assert refused.value.code == "max_cost_exceeded"


def test_ceilings() -> None:
    """What the key may not use is left out of the candidates; when nothing is left the refusal names the first."""
    key = replace(KEY, max_tier="moderate")
    assert spending_limits().reservation_for([OPUS, PRO, FLASH], asking(), key=key)[0] == (PRO, FLASH)
    with pytest.raises(Forbidden, match="claude/opus is of tier complex") as refused:
        spending_limits().reservation_for([OPUS], asking(), key=key)
    assert (refused.value.status, refused.value.code) == (403, "model_not_allowed")


def test_a_list_of_fallbacks() -> None:
    """OpenRouter's `models` are permitted and priced like the model itself; providers that are not told of them do not care."""
    listed = asking(max_tokens=10, models=["openrouter/other/model", "openrouter/auto"])
    key = replace(KEY, models=("openrouter/qwen/*", "gemini/*"))
    with pytest.raises(Forbidden, match="openrouter/other/model"):
        spending_limits().reservation_for([QWEN], listed, key=key)
    assert spending_limits().reservation_for([QWEN, FLASH], listed, key=key)[0] == (FLASH,)
    with pytest.raises(Forbidden, match="price"):
        reservation(QWEN, request=listed)


def test_the_routers_choice_is_narrowed() -> None:
    """The router chooses among what the key may use and the client asked for, by whatever name."""
    context = RoutingContext("Hi")
    key = replace(KEY, models=("gemini/*",), max_tier="moderate")
    narrow = spending_limits().restrict
    assert narrow(context, None) is context
    assert narrow(context, KEY) is context
    assert narrow(context, key).models == ("gemini/flash", "gemini/pro")
    assert narrow(replace(context, models=("pro", "opus", "unknown", "auto")), key).models == ("gemini/pro",)
    with pytest.raises(Forbidden):
        narrow(replace(context, models=("opus",)), key)


def session_hold(request: ChatRequest, *, key_id: str | None = "k", **limits: Any) -> Hold:
    """The only hold of the request."""
    key = replace(KEY, **limits) if limits else None
    found = spending_limits().reservation_for([PRO], request, key=key, key_id=key_id)[1]
    assert found is not None
    (hold,) = found.holds
    return hold


def in_session(
    session: str | None = "s", *, text: str = "Hi", budget: float | None = None, **hints: Any
) -> ChatRequest:
    request = asking(text, max_tokens=100)
    return request._replace(hints=RoutingHints(session_id=session, session_budget=budget, **hints))


@pytest.mark.parametrize(
    ("hint", "limit", "counts"),
    [(2.0, None, 2), (None, 3, 3), (2.0, 3, 2), (5.0, 3, 3)],
    ids=["hint", "key", "lower hint", "lower key"],
)
def test_lower_limit_of_hint_and_key_counts_for_the_session(hint: float | None, limit: int | None, counts: int) -> None:
    """A client can lower what its key's sessions may cost, and never raise it."""
    limits: dict[str, Any] = {} if limit is None else {"session_budget_nano": limit * 10**9}
    hold = session_hold(in_session(budget=hint), **limits)
    assert (hold.account, hold.budget) == ("session:key_1/s" if limits else "session:k/s", Budget(counts * 10**9))


def test_subagents_spend_from_the_session_that_started_them() -> None:
    """The limit is for the whole run."""
    assert session_hold(in_session(budget=1, agent_id="reviewer")).account == "session:k/s"
    assert session_hold(in_session(budget=1), key_id=None).account == "session:s"


def test_session_without_a_name_is_known_by_its_beginning() -> None:
    """The same in all processes; conversations with one cache key count apart; other keys have sessions of their own."""
    accounts = {
        session_hold(in_session(None, text=text, budget=1), key_id=key_id).account
        for text in ("Hi", "Hello")
        for key_id in ("k", None)
    }
    assert len(accounts) == 4
    assert session_hold(in_session(None, budget=1)).account == session_hold(in_session(None, budget=1)).account
    shared = [in_session("app", text=text, budget=1, shared_session=True) for text in ("Hi", "Hello")]
    shared = [request._replace(body={**request.body, "prompt_cache_key": "app"}) for request in shared]
    assert len({session_hold(request).account for request in shared}) == 2
    claude_code = in_session("uuid", budget=1, shared_session=True)
    assert session_hold(claude_code).account == "session:k/uuid"
