"""Plans to ask two models at once, priced against single calls."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gateway.catalog.catalog import Catalog, Model, ModelKey
from gateway.routing.engine import RoutingEngine
from gateway.routing.estimation.agreement import family_of
from gateway.routing.strategies.agreement import AgreementPlan, best_plan, with_shrunk_differences
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.strategies.scored_models import ScoredModels
from gateway.routing.types import RoutingContext
from tests.routing.worlds import FLASH, SONNET, scored

QWEN = Model(provider="openrouter", name="qwen/qwen-9", tier="simple", input_price=0.2, output_price=0.6)
CHEAP = scored(FLASH, quality=0.7, cost=0.0001)
OTHER = scored(QWEN, quality=0.75, cost=0.0002)
STRONG = scored(SONNET, quality=0.9, cost=0.003)
RATE = 10.0  # quality per USD: the strong model's price is worth 0.03


def plan(
    *rows: object,
    agreement: float = 0.7,
    std: float = 0.0,
    rate: float = RATE,
    limit: float = math.inf,
    **agreements: float,
) -> AgreementPlan | None:
    models = ScoredModels.of_rows(rows or (CHEAP, OTHER, STRONG))  # type: ignore[arg-type]  # all are rows
    scores = [
        q - (0.0 if rate == math.inf else rate) * c
        for q, c in zip(models.estimates.qualities, models.costs, strict=True)
    ]

    def agree(one: Model, other: Model) -> tuple[float, float]:
        return agreements.get(one.provider + other.provider, agreement), std

    return best_plan(models, scores, rate=rate, agreement=agree, least=max(scores), limit=limit)


def test_two_cheap_models_are_asked_instead_of_the_strong_one() -> None:
    """The better of the two is the first; the plan is worth the escalation's quality, and costs it only where they differ."""
    found = plan()
    assert found is not None
    assert (found.first, found.partner, found.escalation) == (QWEN.key, FLASH.key, SONNET.key)
    assert found.quality == 0.9
    assert found.cost == pytest.approx(0.0003 + 0.3 * 0.003)


def test_strong_one_is_asked_at_once_where_agreement_is_unlikely() -> None:
    """Two calls that probably differ only add to the third."""
    assert plan(agreement=0.11) is not None
    assert plan(agreement=0.09) is None


def test_one_is_asked_where_it_is_good_enough() -> None:
    """At a high price of quality a cheap model's answer is the better bargain; at the cheapest end always."""
    assert plan(rate=500.0) is None
    assert plan(rate=math.inf) is None


def test_plan_costs_no_more_than_the_limit() -> None:
    """A limit of the request, or the baseline's cost at the cheap end."""
    assert plan(limit=0.00121) is not None
    assert plan(limit=0.0011) is None


def test_models_of_one_family_are_no_pair() -> None:
    """They share their mistakes."""
    sibling = scored(
        Model(provider="gemini", name="gemini-9-lite", tier="simple", input_price=0.1, output_price=0.3), cost=0.0001
    )
    assert plan(CHEAP, sibling, STRONG) is None
    assert plan(CHEAP, sibling, OTHER, STRONG) is not None


def test_model_that_cools_down_is_no_part_of_a_plan() -> None:
    """Neither asked first nor as the escalation: a single call is left."""
    assert plan(CHEAP._replace(cooling=True), OTHER, STRONG) is None
    assert plan(CHEAP, OTHER, STRONG._replace(cooling=True)) is None


def test_pair_of_which_little_is_known_is_tried() -> None:
    """Of pairs at the same price, an unsure agreement is hoped to be higher; the plan's cost is that of the expected one."""
    third = scored(replace(QWEN, name="meta/llama-9"), quality=0.72, cost=0.0002)
    models = ScoredModels.of_rows([CHEAP, OTHER, third, STRONG])
    scores = [q - RATE * c for q, c in zip(models.estimates.qualities, models.costs, strict=True)]
    known = {(FLASH.name, QWEN.name): (0.7, 0.01), (FLASH.name, "meta/llama-9"): (0.68, 0.12)}
    found = best_plan(
        models,
        scores,
        rate=RATE,
        agreement=lambda one, other: known.get((one.name, other.name), (0.1, 0.0)),
        least=max(scores),
    )
    assert found is not None
    assert {found.first, found.partner} == {FLASH.key, third.key}
    assert found.cost == pytest.approx(0.0003 + 0.32 * 0.003)


def test_pair_does_not_depend_on_what_one_request_costs() -> None:
    """The same pair is asked on all kinds of prompts, by list prices, so that it is known by all of them."""
    third = scored(replace(QWEN, name="meta/llama-9", output_price=1.0), quality=0.72, cost=0.00001)
    found = plan(CHEAP, OTHER, third, STRONG)
    assert found is not None
    assert {found.first, found.partner} == {FLASH.key, QWEN.key}


@pytest.mark.parametrize(
    ("key", "family"),
    [
        (ModelKey("gemini", "gemini-9-flash"), "gemini"),
        (ModelKey("openrouter", "google/gemini-9-pro"), "gemini"),
        (ModelKey("openrouter", "anthropic/claude-haiku-9"), "claude"),
        (ModelKey("claude", "claude-haiku-9"), "claude"),
        (ModelKey("openrouter", "qwen/qwen-9"), "qwen"),
        (ModelKey("openrouter", "gpt-4o-mini"), "gpt"),
        (ModelKey("local", "Llama-9-8b"), "llama"),
    ],
    ids=str,
)
def test_family_is_whose_model_it_is(key: ModelKey, family: str) -> None:
    """The vendor, by whatever way the model is called."""
    assert family_of(key) == family


def test_differences_are_shrunk_to_the_usual_ones() -> None:
    """On one prompt the cheap model looks better: most of that is noise."""
    models = ScoredModels.of_rows([CHEAP, OTHER, scored(SONNET, quality=0.65, cost=0.003)])
    shrunk = with_shrunk_differences(models, [0.6, 0.7, 0.9]).estimates.qualities
    assert shrunk[0] < shrunk[1] < shrunk[2]
    assert sum(shrunk) == pytest.approx(0.7 + 0.75 + 0.65)
    assert with_shrunk_differences(models, None) is models


def ranking(*propensities: float, drawn: int) -> Ranking:
    models = ScoredModels.of_rows([CHEAP, OTHER, STRONG])
    return Ranking(
        chosen=models.columns.keys[drawn],
        strategy="learning",
        confidence="low",
        reasoning="That one.",
        models=models,
        order=(drawn, *[place for place in range(3) if place != drawn]),
        propensities=dict(enumerate(propensities)),
        propensity=propensities[drawn],
    )


PLAN = AgreementPlan(QWEN.key, FLASH.key, SONNET.key, 0.9, 0.0012, 0.7)


def test_plan_has_the_probability_of_what_it_replaces() -> None:
    """Drawn as the best single call, or as its own first model: the plan is done, and its probability is that of both draws."""
    for drawn in (1, 2):
        found = ranking(0.01, 0.01, 0.98, drawn=drawn).by_agreement(PLAN, instead_of=2)
        assert (found.chosen, found.agreement) == (QWEN.key, PLAN)
        assert found.propensity == pytest.approx(0.99)
        assert found.propensities == {1: pytest.approx(0.99), 0: 0.01}
        assert (found.quality, found.cost) == (0.9, 0.0012)
        assert list(found.keys) == [QWEN.key, SONNET.key, FLASH.key]


def test_exploration_of_another_model_stays_a_single_call() -> None:
    """Its probability is what it was."""
    found = ranking(0.01, 0.01, 0.98, drawn=0).by_agreement(PLAN, instead_of=2)
    assert (found.chosen, found.agreement, found.propensity) == (FLASH.key, None, 0.01)
    assert sum(found.propensities.values()) == pytest.approx(1.0)


def test_another_choice_drops_the_plan() -> None:
    """A session, the floor or the holdback that puts a model in front asks that one alone."""
    found = ranking(0.01, 0.01, 0.98, drawn=2).by_agreement(PLAN, instead_of=2)
    assert found.choose(SONNET.key, because="It must be.").agreement is None


def test_decision_says_who_is_asked(tmp_path: object) -> None:
    """`metadata["cascade"]` names the other model and the escalation; the reason says it in a sentence."""
    catalog = Catalog([FLASH, QWEN, SONNET])
    with RoutingEngine(f"{tmp_path}/agree.db", catalog=catalog, tradeoff=1.0, seed=1) as engine:
        context = RoutingContext("2+2?", available_providers=list(catalog.providers), cascade="agree")
        decision = engine.route("2+2?", auto_route=True, context=context)
        cascade = decision.metadata["cascade"]
        assert (cascade["kind"], decision.model) == ("agree", cascade["first"]["model"])
        assert {decision.model, cascade["with"][0]["model"]} == {FLASH.name, QWEN.name}
        assert cascade["escalate"] == {"provider": "claude", "model": SONNET.name}
        assert "are asked at once" in decision.reasoning
        assert "cascade" not in engine.route("2+2?", auto_route=True).metadata


def test_cheap_end_and_max_cost_limit_the_plan(tmp_path: object) -> None:
    """Neither a request's limit nor, at the cheap end, the baseline's cost is exceeded by the whole plan."""
    catalog = Catalog([FLASH, QWEN, SONNET])
    with RoutingEngine(f"{tmp_path}/agree.db", catalog=catalog, seed=1) as engine:
        for options in ({"tradeoff": 0.2}, {"tradeoff": 1.0, "max_cost": 0.0005}):
            context = RoutingContext("2+2?", available_providers=list(catalog.providers), cascade="agree", **options)  # type: ignore[arg-type]  # numbers
            decision = engine.route("2+2?", auto_route=True, context=context)
            assert "cascade" not in decision.metadata
