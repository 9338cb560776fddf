"""What is learned of two models giving the same answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.records import Agreement
from gateway.routing.engine import RoutingEngine
from gateway.routing.estimation.agreement import (
    ANY_PAIR,
    agreement_key,
    compared_pair,
    stands_for,
    with_derived_label,
)
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.estimation.estimator import Estimator
from gateway.routing.estimation.examples import Observation
from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.snapshot import dumps, loads
from gateway.routing.estimation.validation import stored
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.types import Outcome, RoutingDecision
from gateway.store import StoredOutcome
from tests.routing.worlds import FLASH, HAIKU, MODERATE, SONNET, THREE

FACTS = prompt_facts(MODERATE)
PLAN = Agreement((FLASH.key.full_name, HAIKU.key.full_name), SONNET.key.full_name)
AGREED, DIFFERED = PLAN._replace(agreed=True), PLAN._replace(agreed=False)


def told(agreement: Agreement, *, model: Any = FLASH, quality: float | None = None, **options: Any) -> Observation:
    outcome = Outcome(quality=quality, cost=0.001, input_tokens=20, output_tokens=100)
    return Observation(
        model.key, FACTS.pattern, FACTS.complexity, FACTS.features, outcome, agreement=agreement, **options
    )


def agree(estimates: Estimates) -> float:
    return estimates.agreement(FLASH, HAIKU, FACTS)[0]


def test_agreement_is_learned_from_comparisons() -> None:
    """It rises with agreements and falls with differences, and gets surer with both."""
    before, doubt = Estimates().agreement(FLASH, HAIKU, FACTS)
    often = Estimator(THREE).learn([told(AGREED)] * 50).agreement(HAIKU, FLASH, FACTS)
    seldom = Estimator(THREE).learn([told(DIFFERED)] * 50).agreement(FLASH, HAIKU, FACTS)
    assert seldom[0] < 0.3 < before < 0.95 < often[0]
    assert often[1] == seldom[1] < doubt


def test_comparison_is_told_once() -> None:
    """The second model's outcome and a later rating repeat what the first one told."""
    before = agree(Estimates())
    assert agree(Estimator(THREE).learn([told(DIFFERED, model=HAIKU)] * 50)) == before
    assert agree(Estimator(THREE).learn([told(DIFFERED, compared=False)] * 50)) == before
    assert agree(Estimator(THREE).learn([told(PLAN)] * 50)) == before


def test_differences_say_that_a_prompt_is_hard() -> None:
    """Nobody rated anything, but all models are expected to fail more often there."""
    estimates = Estimator(THREE).learn([told(DIFFERED)] * 50)
    assert estimates.of(SONNET, FACTS).quality < Estimates().of(SONNET, FACTS).quality


def test_rated_agreed_answer_counts_as_the_escalation_s() -> None:
    """Without it the escalation's outcomes would all be on disputed prompts. An unrated one says nothing of it."""
    rated = Estimator(THREE).learn([told(AGREED, quality=1.0)] * 50).of(SONNET, FACTS)
    assert rated.has_outcomes
    assert rated.quality > 0.95
    assert not Estimator(THREE).learn([told(AGREED, quality=0.95, rated=False)] * 50).of(SONNET, FACTS).has_outcomes
    assert not Estimator(THREE).learn([told(DIFFERED, quality=1.0)] * 50).of(SONNET, FACTS).has_outcomes


def test_what_was_learned_survives_a_restart() -> None:
    """A checkpoint holds the agreements."""
    estimator = Estimator(THREE)
    estimates = estimator.learn([told(AGREED, quality=1.0), told(DIFFERED)] * 20)
    state = loads(dumps(estimator.state()))
    assert Estimator(THREE, state).estimates().agreement(FLASH, HAIKU, FACTS) == estimates.agreement(
        FLASH, HAIKU, FACTS
    )


def test_typical_quality_is_that_on_recent_prompts() -> None:
    """There is none before enough prompts were seen."""
    estimator = Estimator(THREE)
    columns = ModelColumns(THREE)
    assert Estimates().typical(columns) is None
    typical = estimator.learn([told(AGREED, quality=1.0)] * 40).typical(columns)
    assert typical is not None
    assert typical[0] > 0.9
    restarted = Estimator(THREE, loads(dumps(estimator.state()))).estimates()
    assert restarted.typical(columns) == typical


def test_keys_of_pairs() -> None:
    """Whatever the order of the two, their agreement has one key, which no model has."""
    key = agreement_key(HAIKU.key, FLASH.key)
    assert key == agreement_key(FLASH.key, HAIKU.key)
    assert key not in (FLASH.key, HAIKU.key, ANY_PAIR)


@pytest.mark.parametrize(
    "agreement",
    [None, PLAN, AGREED._replace(models=("a/b",)), AGREED._replace(models=("a/b", "c/d", "e/f"))],
    ids=["none", "not compared", "one", "three"],
)
def test_only_a_comparison_of_two_is_one(agreement: Agreement | None) -> None:
    """Everything else says nothing of a pair."""
    assert compared_pair(agreement, FLASH.key) is None


def test_nobody_to_stand_for() -> None:
    """Without an escalation an agreed answer is only its own."""
    assert stands_for(AGREED._replace(escalation=None), FLASH.key, rated=True) is None
    assert stands_for(AGREED, HAIKU.key, rated=True) is None


@pytest.mark.parametrize(
    ("agreement", "source"), [(AGREED, "agreed"), (DIFFERED, "differed"), (PLAN, "outcome"), (None, "outcome")]
)
def test_unrated_answers_get_a_weak_label(agreement: Agreement | None, source: str) -> None:
    """What the comparison says counts less than a rating."""
    outcome = with_derived_label(StoredOutcome("gemini", "flash", "code", 0.5, agreement=agreement))
    assert (outcome.source, outcome.quality is None) == (source, source == "outcome")
    assert (outcome.weight < 0.3) == (source != "outcome")


DECISION = RoutingDecision(
    FLASH.provider,
    FLASH.name,
    "low",
    "learning",
    "Asked.",
    metadata={
        "prompt": "2+2?",
        "cascade": {
            "kind": "agree",
            "first": {"provider": FLASH.provider, "model": FLASH.name},
            "with": [{"provider": HAIKU.provider, "model": HAIKU.name}],
            "escalate": {"provider": SONNET.provider, "model": SONNET.name},
        },
    },
)


def test_outcome_of_a_plan_names_its_models() -> None:
    """Whichever of the models it is for; a rating replaces the label."""
    outcome = stored(replace(DECISION, provider=HAIKU.provider, model=HAIKU.name), Outcome(agreed=True))
    assert (outcome.model, outcome.agreement, outcome.source) == (HAIKU.name, AGREED, "agreed")
    rated = stored(DECISION, Outcome(quality=0.5, agreed=False))
    assert (rated.quality, rated.agreement, rated.source, rated.weight) == (0.5, DIFFERED, "outcome", 1.0)


@pytest.mark.parametrize(
    "cascade",
    [
        None,
        "agree",
        {"kind": "validate"},
        {"kind": "agree"},
        {"kind": "agree", "first": "flash", "with": [{"provider": "claude", "model": "haiku"}]},
        {
            "kind": "agree",
            "first": {"provider": 1, "model": "flash"},
            "with": [{"provider": "claude", "model": "haiku"}],
        },
    ],
    ids=str,
)
def test_outcome_of_another_decision_names_none(cascade: object) -> None:
    """A plan made by hand that names no models asks nobody."""
    decision = replace(DECISION, metadata={"prompt": "2+2?", "cascade": cascade})
    assert stored(decision, Outcome(agreed=True)).agreement is None


def test_engine_learns_whether_two_agree(tmp_path: Path) -> None:
    """`record_outcome` with `agreed` is known to the next decision, and to the next start."""
    path = tmp_path / "agree.db"
    with RoutingEngine(path, catalog=THREE, seed=1) as engine:
        for _ in range(30):
            engine.record_outcome(DECISION, Outcome(cost=0.001, agreed=False))
    with RoutingEngine(path, catalog=THREE, seed=1) as engine:
        engine.refresh()
        assert engine._trainer.snapshot().agreement(FLASH, HAIKU, FACTS)[0] < 0.35
