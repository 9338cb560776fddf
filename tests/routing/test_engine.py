from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.catalog.catalog import Catalog, Model
from gateway.routing import NoRoute, Outcome, RoutingContext, RoutingDecision, RoutingEngine
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import RoutingStrategy
from gateway.store.sqlite import SqliteStore
from tests.routing.strategies.test_hybrid import Fixed
from tests.routing.worlds import COMPLEX, FLASH, HAIKU, MODERATE, SIMPLE, SONNET, THREE, said


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RoutingEngine]:
    with RoutingEngine(tmp_path / "gateway.db", catalog=THREE, seed=1) as engine:
        yield engine


def decision(model: Model = HAIKU, **changes: Any) -> RoutingDecision:
    told: dict[str, Any] = {"confidence": "low", "strategy_used": "learning", "reasoning": "because", **changes}
    return RoutingDecision(provider=model.provider, model=model.name, **told)


def test_engine_alone_routes_the_packaged_catalogue(tmp_path: Path) -> None:
    """Without anything given, today's models are routed by complexity and learned about with auto_route."""
    with RoutingEngine(tmp_path / "gateway.db") as engine:
        assert set(engine.strategies) == {"learning", "complexity", "hybrid"}
        assert "flash" in engine.route(SIMPLE).model
        assert engine.route(SIMPLE).strategy_used == "complexity"
        assert engine.route(SIMPLE, auto_route=True).strategy_used == "hybrid"


def test_prompt_counts_not_the_contexts(engine: RoutingEngine) -> None:
    """A context made for another prompt, facts and all, does not decide; it is not changed either."""
    context = RoutingContext(SIMPLE)

    assert engine.route(COMPLEX, context=context).model == SONNET.name
    assert context == RoutingContext(SIMPLE)
    assert context.facts is None


def test_prompt_is_read_once(engine: RoutingEngine) -> None:
    """Facts that come with the context, of this prompt, are used as they are; the caller's context is never changed."""
    read = RoutingContext(MODERATE, facts=replace(prompt_facts(MODERATE), complexity=0.9))
    unread = RoutingContext(MODERATE)

    assert engine.route(MODERATE, context=read).model == SONNET.name
    assert engine.route(SIMPLE, context=read).model == FLASH.name
    assert engine.route(MODERATE, context=unread).model == HAIKU.name
    assert (read.prompt, unread.facts) == (MODERATE, None)


def test_every_decision_can_be_checked(engine: RoutingEngine) -> None:
    """Reason, estimates, candidates, chance and features stand in each decision, numbers as features."""
    for auto_route in (False, True):
        made = engine.route(MODERATE, auto_route=auto_route)
        assert made.reasoning.endswith(".")
        assert made.metadata["candidates"][0]["model"] == made.model
        assert 0 < made.metadata["propensity"] <= 1
        assert all(isinstance(value, int | float) for value in made.metadata["features"].values())
        assert made.metadata["cost_estimate"] > 0


@pytest.mark.parametrize(
    "answer",
    [
        None,
        ValueError("broken"),
        KeyError(),
        NoRoute("I say so"),
        RoutingDecision("nobody", "m", "low", "hybrid", ""),
        RoutingDecision("claude", "unlisted", "low", "hybrid", ""),
        RoutingDecision("claude", HAIKU.name, "sure", "hybrid", ""),
        RoutingDecision("claude", HAIKU.name, "low", "magic", ""),
        RoutingDecision(cast(str, None), "", "", "", ""),
    ],
    ids=repr,
)
def test_replaced_strategies_cannot_break_a_request(engine: RoutingEngine, answer: Any) -> None:
    """Whatever a strategy raises or returns, complexity's own decision is made and says why."""
    engine.strategies["hybrid"] = Fixed(answer)
    engine.strategies["complexity"] = Fixed(answer)

    for auto_route in (True, False):
        made = engine.route(COMPLEX, auto_route=auto_route)
        assert (made.model, made.strategy_used, made.fallback_used) == (SONNET.name, "complexity", True)
        assert made.metadata["fallback_reason"].startswith("strategy:")


def test_missing_strategy_is_no_reason_to_fail(engine: RoutingEngine) -> None:
    """Even an emptied table leaves the fallback."""
    engine.strategies.clear()

    assert engine.route(SIMPLE, auto_route=True).fallback_used


@pytest.mark.parametrize(
    "wishes",
    [{"available_providers": ["gemini"]}, {"max_cost": 0.0003}, {"min_quality": 0.9}, {"models": (FLASH.name,)}],
)
def test_context_binds_replaced_strategies_and_the_fallback(engine: RoutingEngine, wishes: dict[str, Any]) -> None:
    """A decision outside the context's limits is not returned, and what replaces it is within them."""
    engine.strategies["hybrid"] = Fixed(decision(HAIKU))
    allowed = engine.route(MODERATE, context=RoutingContext(MODERATE, **wishes))

    made = engine.route(MODERATE, auto_route=True, context=RoutingContext(MODERATE, **wishes))

    assert made.fallback_used
    assert made.model == allowed.model != HAIKU.name


def test_bare_decisions_of_replaced_strategies_are_completed(engine: RoutingEngine) -> None:
    """A strategy that tells little is followed; the candidates for failover are added."""
    engine.strategies["hybrid"] = Fixed(decision(SONNET, strategy_used="hybrid", metadata=None))

    made = engine.route(SIMPLE, auto_route=True)

    assert (made.model, made.fallback_used) == (SONNET.name, False)
    assert made.metadata["candidates"][0]["model"] == SONNET.name
    assert made.metadata["pattern"] == "conversation"


def test_strategies_by_new_names_are_known(engine: RoutingEngine) -> None:
    """Another strategy may stand in the table and name itself in decisions."""
    engine.strategies["cheapest"] = cast(RoutingStrategy, object())
    engine.strategies["hybrid"] = Fixed(decision(FLASH, strategy_used="cheapest"))

    assert engine.route(MODERATE, auto_route=True).strategy_used == "cheapest"


def test_a_strategys_own_name_is_known(engine: RoutingEngine) -> None:
    """A strategy in another one's place may call itself what it likes."""

    class Mine(RoutingStrategy):
        def get_name(self) -> str:
            return "mine"

        def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
            return decision(FLASH, strategy_used="mine")

    engine.strategies["hybrid"] = Mine()
    made = engine.route(MODERATE, auto_route=True)
    assert (made.strategy_used, made.model, made.fallback_used) == ("mine", FLASH.name, False)


def test_replaced_route_of_learning_is_called(engine: RoutingEngine) -> None:
    """Replacing the method of an entry of the table reaches the hybrid too."""

    def route(prompt: str, context: RoutingContext) -> RoutingDecision:
        return decision(SONNET)

    engine.strategies["learning"].route = route  # type: ignore[method-assign]  # what callers may do

    made = engine.route(SIMPLE, auto_route=True)

    assert (made.model, made.strategy_used, made.metadata["experimental"]) == (SONNET.name, "hybrid", True)


@pytest.mark.parametrize(
    "context",
    [
        RoutingContext(SIMPLE, available_providers=[]),
        RoutingContext(SIMPLE, available_providers=["nobody"]),
        RoutingContext(SIMPLE, max_cost=1e-12),
        RoutingContext(SIMPLE, min_quality=2.0),
        RoutingContext(SIMPLE, available_providers=cast(Any, None)),
        RoutingContext(SIMPLE, max_cost=cast(Any, "cheap")),
        RoutingContext(SIMPLE, prompt_tokens=cast(Any, "long")),
        cast(Any, "context"),
    ],
)
def test_only_no_route_is_raised(engine: RoutingEngine, context: RoutingContext) -> None:
    """When nothing satisfies the context, or it is nonsense, the one error is NoRoute."""
    for auto_route in (True, False):
        with pytest.raises(NoRoute):
            engine.route(SIMPLE, auto_route=auto_route, context=context)


def test_prompt_that_is_no_text_has_no_route(engine: RoutingEngine) -> None:
    """Not even a wrong type raises anything else."""
    with pytest.raises(NoRoute):
        engine.route(cast(str, None))


@pytest.mark.parametrize("tradeoff", [-1.0, 2.0])
def test_wrong_tradeoff_is_refused(tmp_path: Path, tradeoff: float) -> None:
    """At construction as an error, for one request as a fallback."""
    with pytest.raises(ValueError, match="tradeoff"):
        RoutingEngine(tmp_path / "gateway.db", catalog=THREE, tradeoff=tradeoff)

    with RoutingEngine(tmp_path / "gateway.db", catalog=THREE) as engine:
        assert engine.route(SIMPLE, auto_route=True, context=RoutingContext("", tradeoff=tradeoff)).fallback_used


def test_tradeoff_goes_from_cheapest_to_best(tmp_path: Path) -> None:
    """At 0.0 the cheapest model is taken, at 1.0 the best, whatever the prompt."""
    for tradeoff, model in ((0.0, FLASH), (1.0, SONNET)):
        with RoutingEngine(tmp_path / "gateway.db", catalog=THREE, tradeoff=tradeoff) as engine:
            for prompt in (SIMPLE, MODERATE, COMPLEX):
                assert engine.route(prompt, auto_route=True).model == model.name


def test_outcomes_are_known_at_once_and_after_a_restart(tmp_path: Path) -> None:
    """A hundred outcomes that agree make the confidence high, in this engine, its strategies, and any opened later."""
    path = tmp_path / "gateway.db"
    with RoutingEngine(path, catalog=THREE, seed=1) as engine:
        assert engine.route(MODERATE, auto_route=True).confidence == "low"
        for _ in range(110):
            made = engine.route(MODERATE, auto_route=True)
            engine.record_outcome(made, Outcome(quality=0.95, cost=0.0005, input_tokens=10, output_tokens=100))
        sure = engine.strategies["learning"].route(MODERATE, RoutingContext(MODERATE))
        before = engine.route(MODERATE, auto_route=True)

    with RoutingEngine(path, catalog=THREE, seed=1) as reopened:
        after = reopened.route(MODERATE, auto_route=True)

    assert sure.confidence == before.confidence == after.confidence == "high"
    assert before.metadata["experimental"] is False
    assert after == before


def test_engine_leaves_a_model_that_fails(engine: RoutingEngine) -> None:
    """It is not stuck on its first choice when outcomes are bad, and comes back when they are good."""
    first = engine.route(MODERATE, auto_route=True)
    for _ in range(30):
        engine.record_outcome(first, Outcome(quality=0.0))

    assert engine.route(MODERATE, auto_route=True).model != first.model

    for model in THREE:
        for _ in range(150):
            engine.record_outcome(said(model, MODERATE), Outcome(quality=1.0 if model.name == first.model else 0.0))

    assert engine.route(MODERATE, auto_route=True).model == first.model


def test_same_seed_data_and_order_make_the_same_decisions(tmp_path: Path) -> None:
    """Two engines fed the same decide the same, down to the propensities."""
    runs = []
    for name in ("a.db", "b.db"):
        with RoutingEngine(tmp_path / name, catalog=THREE, seed=7) as engine:
            made = []
            for i in range(40):
                made.append(engine.route(f"Explain topic {i}", auto_route=True))
                engine.record_outcome(made[-1], Outcome(quality=i % 3 / 2, cost=0.001))
            runs.append(made)

    assert runs[0] == runs[1]


def test_absurd_outcomes_do_not_poison_what_is_known(engine: RoutingEngine) -> None:
    """A figure that cannot be is refused, and the next decision is what it was."""
    before = engine.route(MODERATE, auto_route=True)
    for outcome in (Outcome(quality=float("nan")), Outcome(quality=-5.0), Outcome(cost=-1.0)):
        with pytest.raises(ValueError, match="must be"):
            engine.record_outcome(before, outcome)

    assert engine.route(MODERATE, auto_route=True) == before


def test_given_store_is_read_by_refresh_alone(tmp_path: Path) -> None:
    """The served gateway refreshes in a thread of its own; closing the engine leaves its store open."""
    store = SqliteStore(tmp_path / "gateway.db")
    with RoutingEngine(tmp_path / "gateway.db", catalog=THREE) as other:
        other.record_outcome(said(FLASH, MODERATE), Outcome(quality=1.0))
    engine = RoutingEngine("unused", catalog=THREE, store=store)

    assert engine.route(MODERATE, auto_route=True).metadata["outcomes"] == 0
    engine.refresh()
    assert engine.route(MODERATE, auto_route=True).metadata["outcomes"] == 1
    engine.close()
    assert store.writable()
    store.close()


def test_unreadable_store_falls_back_to_complexity(tmp_path: Path) -> None:
    """When outcomes cannot be read at all, requests are still routed, and say why they were not by learning."""
    with RoutingEngine(tmp_path / "missing" / "gateway.db", catalog=THREE) as engine:
        made = engine.route(COMPLEX, auto_route=True)

    assert (made.model, made.fallback_used) == (SONNET.name, True)
    assert made.metadata["fallback_reason"].startswith("strategy: LedgerUnavailable")


def test_routing_goes_on_while_another_thread_learns(tmp_path: Path) -> None:
    """Decisions and refreshes at the same time disturb neither."""
    with RoutingEngine(tmp_path / "gateway.db", catalog=THREE, seed=1) as engine:
        stop = threading.Event()

        def learn() -> None:
            while not stop.is_set():
                engine.record_outcome(said(FLASH, MODERATE), Outcome(quality=0.5))

        thread = threading.Thread(target=learn)
        thread.start()
        made = [engine.route(MODERATE, auto_route=True) for _ in range(200)]
        stop.set()
        thread.join()

    assert not any(each.fallback_used for each in made)


def test_context_is_by_default_all_the_catalogues_providers(tmp_path: Path) -> None:
    """A catalogue of one's own needs no list of providers."""
    catalog = Catalog([Model("ollama", "llama", "simple", 0.0, 0.0)])
    with RoutingEngine(tmp_path / "gateway.db", catalog=catalog) as engine:
        assert engine.route(SIMPLE, auto_route=True).provider == "ollama"


def test_baseline_is_what_complexity_chooses(engine: RoutingEngine) -> None:
    """The baseline is the choice of routing by complexity, also where that strategy or its `route` was replaced."""
    context = RoutingContext(MODERATE)
    assert engine.baseline(MODERATE, context) == HAIKU.key

    replacement = Fixed(decision(SONNET, confidence="medium", strategy_used="complexity"))
    engine.strategies["complexity"].route = replacement.route  # type: ignore[method-assign]  # what callers may do
    assert engine.baseline(MODERATE, context) == SONNET.key

    engine.strategies["complexity"] = replacement
    assert engine.baseline(MODERATE, context) == SONNET.key


def test_a_decision_is_its_ranking(engine: RoutingEngine) -> None:
    """`route` answers what `rank` does, with dicts where the Python API promises them."""
    ranking = engine.rank(MODERATE, strategy="hybrid")
    made = engine.route(MODERATE, auto_route=True)

    assert ranking.to_decision() == made
    assert ranking.chosen == (made.provider, made.model)
    assert list(ranking.candidates) == made.metadata["candidates"]
    assert [key.name for key in ranking.keys] == [each["model"] for each in made.metadata["candidates"]]


def test_an_overridden_rank_is_what_route_answers(engine: RoutingEngine) -> None:
    """A subclass of a built-in strategy may override `rank`; `route` follows it."""

    class Last(ComplexityStrategy):
        def rank(self, prompt: str, context: RoutingContext) -> Ranking:
            ranking = super().rank(prompt, context)
            return ranking.choose(ranking.keys[-1], because="Mine.")

    engine.strategies["complexity"] = Last(THREE)
    assert engine.route(SIMPLE).model == SONNET.name
