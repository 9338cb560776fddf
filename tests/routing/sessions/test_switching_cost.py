"""What a change of model costs a conversation, and when it is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.catalog.catalog import Catalog, Model
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.sessions.affinity import PinnedModel, SessionLookup
from gateway.routing.sessions.prompt_caching import CacheBreakpoints
from gateway.routing.sessions.switching_cost import cheapest, expected_turns, keep_unless_worth_it, switch_cost
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.strategies.scored_models import ScoredModel, ScoredModels
from tests.routing.worlds import scored

CHEAP = Model("gemini", "flash", "simple", 1.0, 2.0, cache_read_price=0.1)
DEAR = Model("claude", "sonnet", "complex", 3.0, 15.0, cache_read_price=0.3, cache_write_price=3.75)
PLAIN = Model("openrouter", "plain", "simple", 1.0, 2.0)
CATALOG = Catalog([CHEAP, DEAR, PLAIN])


def lookup(model: Model = DEAR, *, cached: int = 10_000, **facts: Any) -> SessionLookup:
    return SessionLookup("s", "s", pinned=PinnedModel(model.provider, model.name, cached, 0.0), cached=cached, **facts)


def entry(model: Model, *, quality: float, cost: float, cooling: bool = False) -> ScoredModel:
    return scored(model, quality=quality, cost=cost, cooling=cooling)


def ranking(*entries: ScoredModel, propensity: float | None = 0.98, **changes: Any) -> Ranking:
    """For the first of the entries."""
    ranked = Ranking.of_models(
        ScoredModels.of_rows(entries),
        range(len(entries)),
        prompt_facts("Hello"),
        propensities={},
        strategy="hybrid",
        confidence="high",
        reasoning="The better bargain.",
    )
    return ranked._replace(propensity=propensity, **changes)


def test_prices() -> None:
    """The holder saves what its cache reads cheaper; a model that charges for writing its cache costs that more."""
    prices = switch_cost(lookup(), CATALOG, prompt_tokens=20_000)
    assert prices.loss == pytest.approx(0.027)
    assert prices.surcharges[DEAR.key] == pytest.approx(-0.027)
    assert CHEAP.key not in prices.surcharges
    assert prices.penalty(CHEAP.key) == pytest.approx(0.027)
    assert switch_cost(lookup(CHEAP), CATALOG, prompt_tokens=20_000).penalty(DEAR.key) == pytest.approx(0.009 + 0.0075)


def least(provider: str, model: str) -> int | None:
    """Only Claude needs breakpoints."""
    return 1024 if provider == "claude" else None


MARKED = CacheBreakpoints(models=frozenset({DEAR.key}), minimum=least)


def test_a_model_that_needs_breakpoints_has_a_cache_only_with_them() -> None:
    """Without them its holder saves nothing, so that nothing is lost by leaving it, and nobody pays for a write."""
    prices = switch_cost(lookup(), CATALOG, prompt_tokens=20_000, breakpoints=CacheBreakpoints(minimum=least))
    assert (prices.loss, dict(prices.surcharges), prices.penalty(CHEAP.key)) == (0.0, {}, 0.0)


def test_a_holder_with_breakpoints_writes_what_is_new() -> None:
    """It reads its prefix cheaper and pays for writing the rest."""
    prices = switch_cost(lookup(), CATALOG, prompt_tokens=20_000, breakpoints=MARKED)
    assert prices.surcharges[DEAR.key] == pytest.approx(-0.027 + 0.0075)
    assert prices.penalty(CHEAP.key) == pytest.approx(0.027)


def test_a_newcomer_with_breakpoints_writes_everything() -> None:
    """The whole prompt is written; what the change itself costs is the prefix that the holder has cached."""
    for held in (lookup(CHEAP), SessionLookup("s", "s")):
        prices = switch_cost(held, CATALOG, prompt_tokens=20_000, breakpoints=MARKED)
        assert prices.surcharges[DEAR.key] == pytest.approx(0.015)
    prices = switch_cost(lookup(CHEAP), CATALOG, prompt_tokens=20_000, breakpoints=MARKED)
    assert prices.penalty(DEAR.key) == pytest.approx(0.009 + 0.0075)


@pytest.mark.parametrize(
    "held",
    [
        SessionLookup("s", "s"),
        lookup(cached=0),
        SessionLookup("s", "s", pinned=PinnedModel("gemini", "unlisted", 9, 0.0), cached=9),
    ],
)
def test_nothing_to_lose(held: SessionLookup) -> None:
    """A new or cold conversation, or one with a model of unknown prices, costs nothing to move."""
    prices = switch_cost(held, CATALOG, prompt_tokens=100)
    assert (prices.loss, dict(prices.surcharges)) == (0.0, {})


def test_no_more_is_lost_than_is_repeated() -> None:
    """The cached prefix is at most the prompt; a model without a cache loses none."""
    assert switch_cost(lookup(), CATALOG, prompt_tokens=100).loss == pytest.approx(0.00027)
    assert switch_cost(lookup(PLAIN), CATALOG, prompt_tokens=100).loss == 0.0


def test_a_new_conversation_is_left_alone() -> None:
    """Without a holder the decision stands as it is, and tells of no session."""
    made = ranking(entry(CHEAP, quality=0.7, cost=0.01))
    assert keep_unless_worth_it(made, switch_cost(SessionLookup("s", "s"), CATALOG, prompt_tokens=10)) == (
        made,
        None,
        None,
    )


def test_the_holder_is_chosen() -> None:
    """It stays, and the penalty is what the next best would have cost."""
    made = ranking(entry(DEAR, quality=0.9, cost=0.01), entry(CHEAP, quality=0.7, cost=0.02))
    stayed = keep_unless_worth_it(made, switch_cost(lookup(), CATALOG, prompt_tokens=10_000))
    assert stayed.kept is True
    assert stayed.penalty == pytest.approx(0.027)
    alone = keep_unless_worth_it(
        ranking(entry(DEAR, quality=0.9, cost=0.01)), switch_cost(lookup(), CATALOG, prompt_tokens=10_000)
    )
    assert alone.kept is True


WORTH_IT = [
    (entry(CHEAP, quality=0.89, cost=0.02), entry(DEAR, quality=0.9, cost=0.04), "cheaper by more than is lost"),
    (entry(CHEAP, quality=0.93, cost=0.04), entry(DEAR, quality=0.9, cost=0.04), "better"),
    (entry(CHEAP, quality=0.7, cost=0.05), entry(DEAR, quality=0.9, cost=0.04, cooling=True), "the holder is ill"),
    (entry(CHEAP, quality=0.7, cost=0.05), entry(PLAIN, quality=0.7, cost=0.04), "the holder cannot do it"),
]


@pytest.mark.parametrize(("chosen", "other"), [case[:2] for case in WORTH_IT], ids=[case[2] for case in WORTH_IT])
def test_changes_that_are_worth_it(chosen: ScoredModel, other: ScoredModel) -> None:
    """They are made, and the row shows what they cost."""
    settled = keep_unless_worth_it(ranking(chosen, other), switch_cost(lookup(), CATALOG, prompt_tokens=10_000))
    assert (settled.ranking.chosen, settled.kept) == (CHEAP.key, False)
    assert settled.penalty == pytest.approx(0.027)


NOT_WORTH_IT: list[tuple[ScoredModel, dict[str, Any], dict[str, Any]]] = [
    (entry(CHEAP, quality=0.89, cost=0.0399), {}, {}),
    (entry(CHEAP, quality=0.99, cost=0.001), {"propensity": 0.001}, {}),
    (entry(CHEAP, quality=0.99, cost=0.001), {}, {"open_loop": True}),
]


@pytest.mark.parametrize(("chosen", "told", "facts"), NOT_WORTH_IT, ids=["next to nothing", "explored", "tool loop"])
def test_changes_that_are_not(chosen: ScoredModel, told: dict[str, Any], facts: dict[str, Any]) -> None:
    """The conversation stays with its model, which then is in front of the candidates, and the sentence says so."""
    made = ranking(chosen, entry(DEAR, quality=0.9, cost=0.04), **told)
    settled = keep_unless_worth_it(made, switch_cost(lookup(**facts), CATALOG, prompt_tokens=10_000))
    assert settled.kept is True
    assert settled.ranking.chosen == DEAR.key
    assert settled.ranking.propensity == 1.0
    assert settled.ranking.cost == 0.04
    assert settled.ranking.keys == (DEAR.key, CHEAP.key)
    assert "stays with claude/sonnet" in settled.ranking.reasoning


def test_housekeeping_goes_where_it_is_cheapest() -> None:
    """The client's own calls are not held to the conversation's model."""
    made = ranking(entry(CHEAP, quality=0.89, cost=0.0399), entry(DEAR, quality=0.9, cost=0.04))
    settled = keep_unless_worth_it(made, switch_cost(lookup(auxiliary=True), CATALOG, prompt_tokens=10_000))
    assert settled.ranking.chosen == CHEAP.key


def test_a_decision_that_says_little() -> None:
    """What a replaced strategy decides without figures is taken."""
    made = ranking(
        entry(CHEAP, quality=0.7, cost=0.05), entry(DEAR, quality=0.9, cost=0.04), propensity=None, quality=None
    )
    assert keep_unless_worth_it(made, switch_cost(lookup(), CATALOG, prompt_tokens=10_000)).ranking.chosen == CHEAP.key


HAIKU = Model("claude", "haiku", "moderate", 1.0, 5.0, cache_read_price=0.1, cache_write_price=1.25)
AGENTS = Catalog([HAIKU, DEAR, PLAIN])


@pytest.mark.parametrize(
    ("turns", "likelihood", "further"), [(0, 0.9, 1.8), (8, 0.9, 9.0), (500, 0.9, 18.0), (8, 0.1, 0.0)]
)
def test_longer_sessions_are_expected_to_go_on_longer(turns: int, likelihood: float, further: float) -> None:
    """The expected rest grows with the length so far, to a bound; what is probably a single request has none."""
    assert expected_turns(turns, likelihood) == pytest.approx(further)


def test_change_is_priced_over_the_turns_that_follow() -> None:
    """The cold cache of a cheaper model costs more than the warm one for this request, and less over ten."""
    marked = CacheBreakpoints(models=frozenset({HAIKU.key, DEAR.key}), minimum=least)
    base = {model.key: 20_000 * model.input_price / 1e6 for model in (HAIKU, DEAR)}

    def costs(further: float) -> dict[str, float]:
        cost = switch_cost(lookup(cached=20_000), AGENTS, prompt_tokens=20_000, breakpoints=marked, further=further)
        return {key.name: base[key] + cost.per_turn[key] for key in base}

    assert costs(0) == pytest.approx({"haiku": 0.025, "sonnet": 0.006})
    assert costs(9) == pytest.approx({"haiku": (0.025 + 9 * 0.002) / 10, "sonnet": 0.006})


def test_short_prompts_are_priced_alone() -> None:
    """No vendor caches a prefix of some hundred tokens, so nothing is saved later."""
    cost = switch_cost(lookup(cached=100), AGENTS, prompt_tokens=500, further=9)
    assert cost.per_turn == cost.surcharges


@pytest.mark.parametrize(("open_loop", "kept"), [(False, False), (True, True)])
def test_tentative_model_is_kept_only_between_call_and_result(open_loop: bool, kept: bool) -> None:
    """After a greeting the choice is free; a tool's result goes to the model that called the tool."""
    held = lookup(open_loop=open_loop)
    held = replace(held, pinned=PinnedModel(*DEAR.key, 10_000, 0.0, tentative=True))
    made = ranking(entry(CHEAP, quality=0.9, cost=0.0099), entry(DEAR, quality=0.9, cost=0.01))
    assert keep_unless_worth_it(made, switch_cost(held, CATALOG, prompt_tokens=10_000)).kept is kept


def test_calls_of_the_client_for_itself_go_to_the_cheapest_model() -> None:
    """Not to the model with the best value, and not to one that is down."""
    made = ranking(
        entry(DEAR, quality=0.9, cost=0.02),
        entry(CHEAP, quality=0.7, cost=0.001, cooling=True),
        entry(PLAIN, quality=0.7, cost=0.002),
    )
    chosen = cheapest(made)
    assert chosen.chosen == PLAIN.key
    assert "cheapest" in chosen.reasoning
    assert cheapest(chosen) is chosen
    unranked = made._replace(order=())
    assert cheapest(unranked) is unranked
