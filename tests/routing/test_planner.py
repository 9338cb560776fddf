"""The plan of one request, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from gateway.accounts.budgets import Budget
from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.catalog import Price, PriceTable, Rate
from gateway.catalog.catalog import Catalog, Model
from gateway.completion import ChatRequest
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import Forbidden, InvalidRequest, NoRoute, NotFound
from gateway.routing import (
    Caller,
    Holdback,
    HoldbackSpending,
    Plan,
    Planner,
    RoutingEngine,
    RoutingMode,
    SessionAffinity,
    SpendingLimits,
)
from gateway.store.sqlite import SqliteStore
from tests.routing.worlds import COMPLEX, FLASH, HAIKU, MODERATE, SIMPLE, SONNET, THREE

NOW = datetime(2026, 11, 29, tzinfo=UTC)
KEY = VirtualKey(id="key_1", name="team", digest=digest_of("one"), last4="-one", created=NOW)
NAMED = SONNET.full_name


@pytest.fixture
def engine() -> Iterator[RoutingEngine]:
    store = SqliteStore(":memory:")
    with RoutingEngine("unused", catalog=THREE, seed=1, store=store) as engine:
        yield engine
    store.close()


def planner(engine: RoutingEngine, **options: Any) -> Planner:
    return Planner(engine, THREE, **{"providers": ("gemini", "claude"), "cooling": frozenset, **options})


def asking(prompt: str = MODERATE, *, model: str = "auto", **members: Any) -> ChatRequest:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **members}
    return parse_chat_request(orjson.dumps(body))


MODES = [
    ("auto", None, False, RoutingMode.AUTO),
    ("auto", RoutingMode.AUTO, False, RoutingMode.AUTO),
    ("auto", RoutingMode.COMPLEXITY, False, RoutingMode.COMPLEXITY),
    ("auto", RoutingMode.SHADOW, False, RoutingMode.SHADOW),
    (NAMED, None, False, RoutingMode.PINNED),
    (NAMED, RoutingMode.AUTO, False, RoutingMode.AUTO),
    (NAMED, RoutingMode.COMPLEXITY, False, RoutingMode.PINNED),
    (NAMED, RoutingMode.SHADOW, False, RoutingMode.SHADOW),
    ("auto", None, True, RoutingMode.SHADOW),
    ("auto", RoutingMode.AUTO, True, RoutingMode.SHADOW),
    ("auto", RoutingMode.COMPLEXITY, True, RoutingMode.COMPLEXITY),
    (NAMED, None, True, RoutingMode.SHADOW),
    (NAMED, RoutingMode.COMPLEXITY, True, RoutingMode.PINNED),
]


@pytest.mark.parametrize(("model", "asked", "shadow", "mode"), MODES)
def test_the_mode_follows_from_model_client_and_configuration(
    engine: RoutingEngine, model: str, asked: RoutingMode | None, shadow: bool, mode: RoutingMode
) -> None:
    """Each mode has its strategy; only in shadow mode there is a second ranking, and only a named model is pinned."""
    plan = planner(engine, shadow=shadow).plan(asking(model=model), mode=asked)
    assert plan.mode is mode
    assert (plan.shadow is not None) == (mode is RoutingMode.SHADOW)
    assert plan.pinned == (model == NAMED and mode is not RoutingMode.AUTO)
    strategy = "hybrid" if mode is RoutingMode.AUTO else "pinned" if plan.pinned else "complexity"
    assert plan.ranking.strategy == strategy
    assert plan.candidates[0].full_name == plan.ranking.chosen.full_name


def test_a_plan_cannot_be_changed(engine: RoutingEngine) -> None:
    """Neither can the context it was made from."""
    plan = planner(engine).plan(asking())
    with pytest.raises(FrozenInstanceError):
        plan.mode = RoutingMode.PINNED  # type: ignore[misc]  # what is tested
    with pytest.raises(FrozenInstanceError):
        plan.context.session_id = "s"  # type: ignore[misc]  # what is tested


def baseline(plan: Plan) -> str:
    return plan.baseline.name


def test_the_baseline_is_named_or_complexitys_choice(engine: RoutingEngine) -> None:
    """The request's hint comes first, then the model that it names, then the configuration, then complexity's choice."""
    plain, configured = planner(engine), planner(engine, baseline=FLASH.full_name)
    auto = RoutingMode.AUTO
    assert baseline(plain.plan(asking(COMPLEX))) == SONNET.name
    assert baseline(plain.plan(asking(COMPLEX), mode=RoutingMode.COMPLEXITY)) == SONNET.name
    assert baseline(configured.plan(asking(COMPLEX))) == FLASH.name
    assert baseline(configured.plan(asking(SIMPLE, model=NAMED), mode=auto)) == SONNET.name
    assert baseline(configured.plan(asking(routing={"baseline": HAIKU.full_name}))) == HAIKU.name
    with pytest.raises(InvalidRequest, match="must be a model"):
        plain.plan(asking(routing={"baseline": "auto:cheap"}))


def test_shadow_mode_puts_the_baseline_in_front(engine: RoutingEngine) -> None:
    """As far as it can serve the request; the reason says so."""
    shadowed = planner(engine, baseline=SONNET.full_name).plan(asking(SIMPLE), mode=RoutingMode.SHADOW)
    assert shadowed.ranking.chosen == SONNET.key
    assert shadowed.ranking.reasoning.startswith("Shadow mode: the baseline ")
    narrow = asking(SIMPLE, routing={"providers": ["gemini"]})
    assert planner(engine, baseline=SONNET.full_name).plan(narrow, mode=RoutingMode.SHADOW).ranking.chosen == FLASH.key


def test_shadow_mode_serves_what_auto_could_not(engine: RoutingEngine) -> None:
    """A named model answers though no candidate satisfies the request's limits; there is no second ranking then."""
    plan = planner(engine).plan(asking(model=NAMED, routing={"min_quality": 1.0}), mode=RoutingMode.SHADOW)
    assert (plan.ranking.chosen, plan.shadow) == (SONNET.key, None)


PRICES = PriceTable({}, version="2026-11-22").with_own(
    {model.key: Price(Rate(Decimal(str(model.input_price))), Rate(Decimal(str(model.output_price)))) for model in THREE}
)
LIMITS = SpendingLimits(PRICES, THREE, now=lambda: NOW)


def test_a_keys_models_bound_the_plan(engine: RoutingEngine) -> None:
    """The router chooses among what the key may use; a named model that it may not use is refused."""
    planning = planner(engine, spending_limits=LIMITS)
    caller = Caller(key_id=KEY.id, key=replace(KEY, models=("claude/*",)))
    plan = planning.plan(asking(SIMPLE), caller=caller)
    assert {candidate.provider for candidate in plan.candidates} == {"claude"}
    assert plan.reservation is None
    with pytest.raises(Forbidden):
        planning.plan(asking(SIMPLE, model=FLASH.full_name), caller=caller)


def test_a_keys_money_bounds_the_plan(engine: RoutingEngine) -> None:
    """The first candidate that the key can pay for is the choice, and the reason says so before that of the router."""
    planning = planner(engine, spending_limits=LIMITS)
    request, mode = asking(COMPLEX, max_tokens=1000), RoutingMode.COMPLEXITY
    rich = planning.plan(request, mode=mode, caller=Caller(key=replace(KEY, max_cost_nano=10**9)))
    assert rich.reservation is not None
    assert rich.ranking == planning.plan(request, mode=mode).ranking
    assert rich.ranking.chosen == SONNET.key
    plan = planning.plan(request, mode=mode, caller=Caller(key=replace(KEY, max_cost_nano=10_000_000)))
    assert plan.ranking.chosen == HAIKU.key
    assert plan.reservation is not None
    assert plan.ranking.reasoning.startswith(
        f"Within the limits of the key or budget it is {HAIKU.full_name}. Complexity "
    )
    assert SONNET.full_name not in {candidate.full_name for candidate in plan.candidates}


def test_a_conversation_keeps_its_model(engine: RoutingEngine) -> None:
    """The second turn stays where the first was answered; the plan says so, and what a change would have cost."""
    sessions = SessionAffinity(lambda: 0.0, secret=b"secret")
    planning = planner(engine, sessions=sessions)
    request = asking(routing={"session_id": "s"})
    first = planning.plan(request)
    assert first.session is not None
    assert (first.session_kept, first.switch_penalty, first.context.session_id) == (None, None, "s")
    sessions.record(first.session, provider=first.ranking.chosen.provider, model=first.ranking.chosen.name, tokens=50)
    second = planning.plan(request)
    assert (second.session_kept, second.ranking.chosen) == (True, first.ranking.chosen)
    assert planning.plan(request, mode=RoutingMode.COMPLEXITY).session is None


def test_a_named_models_session_is_recorded(engine: RoutingEngine) -> None:
    """The client's name of the session is in the plan; without one all requests for a model share a plan."""
    planning = planner(engine)
    assert planning.plan(asking(model=NAMED, routing={"session_id": "s"})).context.session_id == "s"
    assert planning.plan(asking(SIMPLE, model=NAMED)) is planning.plan(asking(COMPLEX, model=NAMED))


def test_providers_that_are_not_there(engine: RoutingEngine) -> None:
    """A model's provider has to be enabled, a hint has to name one that is, and without any there is no route."""
    with pytest.raises(NotFound, match="its key is not set"):
        planner(engine, providers=("gemini",)).plan(asking(model=NAMED))
    with pytest.raises(InvalidRequest, match="names no provider of this gateway: 'nobody'"):
        planner(engine).plan(asking(routing={"providers": ["nobody"]}))
    with pytest.raises(NoRoute, match="enabled are none"):
        planner(engine, providers=()).plan(asking())
    claude = planner(engine).plan(asking(routing={"providers": ["anthropic"]}))
    assert {candidate.provider for candidate in claude.candidates} == {"claude"}


TITLE = "Analyze the architectural trade-offs in this chat and generate a short title for the conversation."


def test_title_goes_to_the_cheapest_model_unless_the_best_is_wanted(engine: RoutingEngine) -> None:
    """A call of the client for itself needs no better model, however complex it looks; `auto:quality` is the best at any price."""
    planning = planner(engine, sessions=SessionAffinity(lambda: 0.0, secret=b"secret"))
    plan = planning.plan(asking(TITLE))
    costs = {row["model"]: row["cost"] for row in plan.ranking.candidates}
    assert plan.ranking.chosen.name == min(costs, key=costs.__getitem__)
    assert "A call of the client for itself" in plan.ranking.reasoning
    assert "A call of the client for itself" not in planning.plan(asking(TITLE, model="auto:quality")).ranking.reasoning


def test_expected_cost_counts_the_turns_that_follow_unless_it_is_limited() -> None:
    """In a session with tools later requests read the prompt from the cache; `max_cost` limits this request alone."""
    cached = Model("gemini", "cached", "simple", 1.0, 2.0, cache_read_price=0.1)
    plain = Model("gemini", "plain", "simple", 1.0, 2.0)
    catalog, store = Catalog([cached, plain]), SqliteStore(":memory:")
    tool = {"type": "function", "function": {"name": "f", "description": "x " * 20_000}}
    with RoutingEngine("unused", catalog=catalog, seed=1, store=store) as engine:
        sessions = SessionAffinity(lambda: 0.0, secret=b"secret")
        planning = Planner(engine, catalog, providers=("gemini",), cooling=frozenset, sessions=sessions)
        requests: list[dict[str, Any]] = [{}, {"routing": {"max_cost": 1}}]
        costs = [
            {row["model"]: row["cost"] for row in planning.plan(asking(tools=[tool], **members)).ranking.candidates}
            for members in requests
        ]
    store.close()
    assert costs[0]["cached"] < 0.6 * costs[0]["plain"]
    assert costs[1]["cached"] == costs[1]["plain"] == costs[0]["plain"]


def test_a_limit_that_excludes_the_drawn_baseline_ends_the_draw(engine: RoutingEngine) -> None:
    """Where a budget has no price for the drawn baseline another model answers, and the row does not count as held back."""
    prices = PriceTable({}, version="2026-11-22").with_own(
        {model.key: Price(Rate(Decimal(1)), Rate(Decimal(5))) for model in (FLASH, HAIKU)}
    )
    holdback = Holdback(
        1.0,
        daily_usd=Decimal(1),
        spending=HoldbackSpending(lambda *, since: Decimal(0), now=lambda: NOW),
        seed=0,
    )
    options = {"holdback": holdback, "sessions": SessionAffinity(lambda: 0.0, secret=b"s"), "baseline": NAMED}
    free = planner(engine, **options).plan(asking())
    assert (free.holdback, free.ranking.chosen, free.session_kept) == (True, SONNET.key, None)
    assert free.shadow is not None
    limits = SpendingLimits(prices, THREE, now=lambda: NOW, daily=Budget(10**12, "day"))
    limited = planner(engine, **options, spending_limits=limits).plan(asking())
    assert (limited.holdback, limited.shadow) == (None, None)
    assert limited.ranking.chosen != SONNET.key
