from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import CodeType
from typing import Any, cast

import pytest

from gateway.catalog.catalog import TIERS, Catalog, Model, ModelKey
from gateway.errors import NoRoute
from gateway.routing.estimation.estimates import Estimate
from gateway.routing.estimation.trainer import OnlineTrainer
from gateway.routing.estimation.validation import stored
from gateway.routing.prompt.complexity import score_complexity
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer, valid_tradeoff
from gateway.routing.strategies.scored_models import ScoredModel
from gateway.routing.types import Outcome, RoutingContext
from gateway.store import Store
from gateway.store.candidate_columns import to_columns
from tests.routing.memory_store import MemoryStore
from tests.routing.worlds import COMPLEX, FLASH, HAIKU, MODERATE, SIMPLE, SONNET, THREE, said

PROVIDERS = ["gemini", "claude", "openrouter"]


@pytest.fixture
def trainer(tmp_path: Path) -> OnlineTrainer:
    return OnlineTrainer(tmp_path / "gateway.db", THREE)


def test_recommendation_has_the_promised_parts(tmp_path: Path) -> None:
    """With nothing but a file, a recommendation names a model of the packaged catalogue, how sure it is and why."""
    analyzer = QueryPatternAnalyzer(tmp_path / "gateway.db")

    found = analyzer.recommend_provider(MODERATE, score_complexity(MODERATE), ["claude"])

    assert analyzer.identify_pattern(MODERATE) == found["pattern"] == "explanation"
    assert found["provider"] == "claude"
    assert found["confidence"] == "low"
    assert found["model"] in found["reasoning"]
    assert 0 <= found["quality_score"] <= 1
    assert found["avg_cost"] > 0
    analyzer.close()


def test_what_was_learned_is_recommended(trainer: OnlineTrainer) -> None:
    """Outcomes decide: the model that did well at the price is taken, and confidence grows with them."""
    analyzer = QueryPatternAnalyzer(trainer=trainer, tradeoff=0.5)
    levels = []
    for i in range(100):
        for model, quality in ((FLASH, 0.1), (HAIKU, 0.95), (SONNET, 0.95)):
            trainer.record(stored(said(model, MODERATE), Outcome(quality=quality)))
        if i in (0, 10, 99):
            levels.append(analyzer.recommend_provider(MODERATE, 0.34, PROVIDERS)["confidence"])

    found = analyzer.recommend_provider(MODERATE, 0.34, PROVIDERS)

    assert found["model"] == HAIKU.name
    assert levels == ["low", "medium", "high"]
    assert found["outcomes"] == 300


def test_a_ranking_keeps_to_the_rest_of_the_context(trainer: OnlineTrainer) -> None:
    """Limits and trade-off of the context count, which `recommend_provider` cannot be given."""
    analyzer = QueryPatternAnalyzer(trainer=trainer, tradeoff=1.0)
    context = RoutingContext(MODERATE, max_cost=0.002)
    facts = prompt_facts(MODERATE, context)

    assert analyzer.recommend_provider(MODERATE, 0.34, PROVIDERS)["model"] == SONNET.name
    assert analyzer.rank(facts, context).chosen == HAIKU.key
    assert analyzer.rank(facts, replace(context, tradeoff=0.0)).chosen == FLASH.key


def test_explored_recommendation_says_so(trainer: OnlineTrainer) -> None:
    """Some seed's first decisions explore; the reason then tells what was expected to be better."""
    trainer.record(stored(said(FLASH, MODERATE), Outcome(quality=0.7)))
    reasons = []
    for seed in range(300):
        found = QueryPatternAnalyzer(trainer=trainer, seed=seed).recommend_provider(MODERATE, 0.34, PROVIDERS)
        if found["propensity"] < 0.5:
            reasons.append(found["reasoning"])

    assert 1 <= len(reasons) <= 15
    assert all("tried to learn" in reason for reason in reasons)


def test_only_candidate_is_explained(trainer: OnlineTrainer) -> None:
    """With one model left the reason does not compare."""
    found = QueryPatternAnalyzer(trainer=trainer).recommend_provider(MODERATE, 0.34, ["gemini"])

    assert "no other model" in found["reasoning"]


def test_unknown_providers_have_no_route(trainer: OnlineTrainer) -> None:
    """Nothing is recommended that is not available."""
    with pytest.raises(NoRoute):
        QueryPatternAnalyzer(trainer=trainer).recommend_provider(MODERATE, 0.34, ["nobody"])


@pytest.mark.parametrize("tradeoff", [-0.1, 1.1, float("nan")])
def test_tradeoff_outside_its_range_is_refused(tradeoff: float) -> None:
    """A wrong knob is an error at once, not a strange choice later."""
    with pytest.raises(ValueError, match="tradeoff"):
        valid_tradeoff(tradeoff)


def learned_on_three(extra: int) -> QueryPatternAnalyzer:
    """An analyzer of three models with outcomes and so many without."""
    untried = [Model("openrouter", f"vendor/model-{i}", TIERS[i % 3], 0.1 + i, 0.4 + i) for i in range(extra)]
    trainer = OnlineTrainer("", Catalog([*THREE, *untried]), store=cast(Store, MemoryStore()), poll_seconds=None)
    for model, quality in ((FLASH, 0.3), (HAIKU, 0.95), (SONNET, 0.9)):
        for _ in range(20):
            trainer.record(stored(said(model, MODERATE), Outcome(quality=quality)))
    return QueryPatternAnalyzer(trainer=trainer)


def calls_of_a_decision(models: int) -> tuple[int, int]:
    """How many Python functions one decision and its row call, and how many rows of models are made."""
    analyzer = learned_on_three(models - 3)
    context = RoutingContext(MODERATE, cooling=frozenset({("claude", None)}))
    facts = prompt_facts(MODERATE)
    called: list[CodeType] = []

    def decide() -> None:
        to_columns(analyzer.rank(facts, context).candidates)

    decide()  # once, so that nothing is memoised later
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code) if event == "call" else None)
    try:
        decide()
    finally:
        sys.setprofile(None)
    return len(called), sum(code in (ScoredModel.__new__.__code__, Estimate.__new__.__code__) for code in called)


def test_a_decision_makes_nothing_for_each_model() -> None:
    """Models are columns: a decision over 60 models calls as many functions as one over 6, and makes no row of a model."""
    assert calls_of_a_decision(60) == calls_of_a_decision(6)
    assert calls_of_a_decision(60)[1] == 0


DEAR_SONNET = Model("claude", "claude-sonnet-9", "complex", 3, 15, strength=2.0)
STRONG = Catalog([FLASH, HAIKU, DEAR_SONNET])


def untaught(catalog: Catalog, *, tradeoff: float) -> QueryPatternAnalyzer:
    trainer = OnlineTrainer("", catalog, store=cast(Store, MemoryStore()), poll_seconds=None)
    return QueryPatternAnalyzer(trainer=trainer, tradeoff=tradeoff)


@pytest.mark.parametrize("prompt", [SIMPLE, MODERATE, COMPLEX])
def test_cheap_is_never_expected_to_cost_more_than_the_baseline(prompt: str) -> None:
    """At `auto:cheap` the choice of complexity, or the context's baseline, is the dearest that is taken."""
    dear_flash = Catalog([replace(FLASH, input_price=9.0, output_price=45.0, strength=-3.0), HAIKU, DEAR_SONNET])
    analyzer, facts = untaught(dear_flash, tradeoff=0.2), prompt_facts(prompt)
    for baseline, key in ((None, None), (HAIKU.key, HAIKU.key), (ModelKey("claude", "unlisted"), None)):
        ranking = analyzer.rank(facts, RoutingContext(prompt, baseline=baseline))
        assert ranking.chosen == HAIKU.key if key else ranking.chosen in (HAIKU.key, DEAR_SONNET.key)

    only = untaught(Catalog([replace(FLASH, strength=-3.0), DEAR_SONNET]), tradeoff=0.2)
    named = only.rank(facts, RoutingContext(prompt, available_providers=["claude"], baseline=FLASH.key))
    assert named.chosen == DEAR_SONNET.key  # nothing else is left


def test_reason_says_where_the_expectation_comes_from() -> None:
    """Without outcomes it names the public strength with its sources, or the tier."""
    facts, context = prompt_facts(MODERATE), RoutingContext(MODERATE)
    sourced = replace(DEAR_SONNET, strength_source="a, b, 2026-11")

    assert (
        "public strength +2.00 from a, b, 2026-11"
        in untaught(Catalog([sourced]), tradeoff=1.0).rank(facts, context).reasoning
    )
    assert "public strength +2.00 from the catalogue" in untaught(STRONG, tradeoff=1.0).rank(facts, context).reasoning
    assert "no own outcomes; by its tier, simple" in untaught(THREE, tradeoff=0.0).rank(facts, context).reasoning
    assert "own outcomes on like prompts" in learned_on_three(0).rank(facts, context).reasoning


def test_only_the_pool_and_the_baseline_are_ranked() -> None:
    """A model that is beaten at its price is left out, unless it is named, the baseline, or all that can answer."""
    many = [Model("gemini", f"m{i}", "simple", 1 + i, 2 + i, strength=0.0, context_window=1000) for i in range(9)]
    large = Model("gemini", "large", "simple", 90, 90, strength=-1.0, context_window=10**6)
    analyzer = untaught(Catalog([*many, large]), tradeoff=0.5)

    def ranked(**context: Any) -> list[str]:
        routing = RoutingContext(MODERATE, **context)
        return [key.name for key in analyzer.rank(prompt_facts(MODERATE, routing), routing).keys]

    assert ranked() == ["m0"]
    assert ranked(baseline=many[5].key) == ["m0", "m5"]
    assert ranked(models=("m3",)) == ["m3"]
    assert ranked(prompt_tokens=50_000) == ["large"]
