"""The quality floor: which cheap models may answer, from which labels, and how often they are tried."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

import pytest

from gateway.catalog.catalog import ModelKey
from gateway.routing import QualityEvidence, QualityFloor, Ranking, SessionLookup
from gateway.routing.quality_floor import UNMEASURED, MeasuredQuality, labels_missing
from gateway.routing.strategies.scored_models import ScoredModel, ScoredModels
from gateway.store import InsertOutcome, StoredOutcome
from gateway.store.sqlite import SqliteStore
from tests.routing.worlds import FLASH, HAIKU, SONNET, scored

PROVEN = MeasuredQuality(0.95, 0.945, 0.96, 3_000)
BASELINE = MeasuredQuality(0.95, 0.93, 0.97, 3_000)
BAD = MeasuredQuality(0.5, 0.4, 0.6, 300)
COSTS = {FLASH: 0.0001, HAIKU: 0.001, SONNET: 0.003}


class Measured:
    """What is measured of each model, on any pattern."""

    def __init__(self, measured: Mapping[ModelKey, MeasuredQuality]) -> None:
        self._measured = measured

    def of(self, model: ModelKey, pattern: str) -> MeasuredQuality:
        return self._measured.get(model, UNMEASURED)


def ranking(*rows: ScoredModel, propensities: Mapping[int, float] | None = None) -> Ranking:
    """The models in the order of the catalogue, the first one chosen."""
    rows = rows or tuple(scored(model, cost=cost) for model, cost in COSTS.items())
    return Ranking(
        chosen=rows[0].key,
        strategy="hybrid",
        confidence="high",
        reasoning="Cheap.",
        models=ScoredModels.of_rows(rows),
        order=range(len(rows)),
        propensities=propensities or {0: 1.0},
        propensity=(propensities or {0: 1.0})[0],
        pattern="code",
    )


def session(name: str) -> SessionLookup:
    return SessionLookup(session_id=name, conversation=name)


def apply(
    measured: Mapping[ModelKey, MeasuredQuality],
    given: Ranking | None = None,
    *,
    floor: float = 0.97,
    name: str | None = None,
    baseline: ModelKey = SONNET.key,
) -> Ranking:
    """Without a `name` there is no conversation, so nothing is tried."""
    return QualityFloor(floor, Measured(measured), seed=0).apply(
        given or ranking(), baseline, session=None if name is None else session(name)
    )


def test_without_evidence_the_baseline_answers() -> None:
    """The decision stays hybrid, of low confidence, and says how many labels are missing."""
    decided = apply({})
    assert (decided.chosen, decided.strategy, decided.confidence) == (SONNET.key, "hybrid", "low")
    assert decided.experimental
    missing = labels_missing(UNMEASURED, UNMEASURED, floor=0.97)
    assert decided.reasoning.startswith(
        f"Quality floor 0.97: {FLASH.full_name} lacks about {missing} labels for code. {SONNET.full_name} answers."
    )


def test_a_proven_model_answers() -> None:
    """Where the lower bound holds the floor the decision stays as it was."""
    decided = apply({FLASH.key: PROVEN, SONNET.key: BASELINE})
    assert (decided.chosen, decided.confidence, decided.reasoning) == (FLASH.key, "high", "Cheap.")
    assert decided.propensities == {0: 1.0}


def test_a_model_below_the_floor_is_demoted() -> None:
    """The reason has its quality, its bounds and the floor; the cheapest proven model answers in its place."""
    decided = apply({FLASH.key: BAD, HAIKU.key: PROVEN, SONNET.key: BASELINE})
    assert decided.chosen == HAIKU.key
    assert "is demoted for code: quality 0.50 (0.40 to 0.60) against 0.92." in decided.reasoning


def test_a_dearer_model_has_nothing_to_prove() -> None:
    """Only models that are expected to cost less than the baseline are held to the floor."""
    rows = (scored(SONNET, cost=0.003), scored(HAIKU, cost=0.001), scored(FLASH, cost=0.0001))
    decided = apply({}, ranking(*rows), baseline=HAIKU.key)
    assert decided.chosen == SONNET.key
    assert decided.confidence == "high"


def test_a_baseline_that_cannot_answer_is_replaced_by_the_best() -> None:
    """Where the baseline is excluded or cooling down, the model of the highest expected quality stands for it."""
    rows = (scored(FLASH, cost=0.0001, quality=0.7), scored(HAIKU, cost=0.001, quality=0.9))
    assert apply({}, ranking(*rows)).chosen == HAIKU.key
    cooling = (*rows, scored(SONNET, cost=0.003, quality=0.99, cooling=True))
    assert apply({}, ranking(*cooling)).chosen == HAIKU.key


def test_a_ranking_without_estimates_is_left_alone() -> None:
    """There is nothing to compare."""
    empty = ranking()._replace(order=())
    assert apply({}, empty) is empty


def test_trials_cost_at_most_half_of_what_the_floor_leaves() -> None:
    """Even if its answers were worthless, the share of conversations that tries a model costs half of 1 - floor."""
    tried = [
        decided for number in range(4_000) if (decided := apply({}, name=f"c{number}", floor=0.9)).chosen == FLASH.key
    ]
    assert 150 < len(tried) < 250
    assert all(decided.confidence == "low" and "This is a trial." in decided.reasoning for decided in tried)
    assert tried[0].propensity == pytest.approx(0.05)


def test_trials_grow_with_the_evidence() -> None:
    """A model whose lower bound is near the floor is tried more often, and one for which the floor leaves nothing never."""
    near = {FLASH.key: MeasuredQuality(0.92, 0.87, 0.97, 400), SONNET.key: BASELINE}
    assert apply(near, floor=0.9, name="c").propensities[0] == pytest.approx(0.485)
    assert apply({}, floor=1.0, name="c").propensities == pytest.approx({0: 0.0, 2: 1.0})


def test_a_conversation_keeps_its_side() -> None:
    """The draw is by conversation and seed: the same decision at each turn."""
    assert len({apply({}, name="one", floor=0.5).chosen for _ in range(10)}) == 1


def test_propensities_stay_exact() -> None:
    """What the strategy gave to unproven models goes to the model that answers instead, except their trials."""
    given = ranking(propensities={0: 0.9, 1: 0.06, 2: 0.04})
    decided = apply({HAIKU.key: PROVEN, SONNET.key: BASELINE}, given, floor=0.9, name="c")
    assert decided.propensities == pytest.approx({0: 0.045, 1: 0.915, 2: 0.04})
    assert decided.propensity == pytest.approx(decided.propensities[1 if decided.chosen == HAIKU.key else 0])
    assert apply({}, given._replace(propensity=None)).propensity is None


def labelled(model: ModelKey, qualities: Iterable[float], **members: Any) -> list[StoredOutcome]:
    return [
        StoredOutcome(model.provider, model.name, "code", 0.5, quality=quality)._replace(**members)
        for quality in qualities
    ]


def test_only_measurements_are_labels() -> None:
    """Hints of low weight, outcomes without a quality and impossible qualities are left out."""
    evidence = QualityEvidence()
    evidence.learn(labelled(FLASH.key, [1.0, 0.0]))
    evidence.learn(labelled(FLASH.key, [0.9] * 9, weight=0.1, source="unremarkable"))
    evidence.learn(
        [*labelled(FLASH.key, [2.0, -1.0, float("nan")]), labelled(FLASH.key, [0.5])[0]._replace(quality=None)]
    )
    assert evidence.of(FLASH.key, "code")[0::3] == (0.5, 2)
    assert evidence.of(FLASH.key, "math") == evidence.of(HAIKU.key, "code") == UNMEASURED


def test_models_below_the_floor_are_named() -> None:
    """A model with enough labels whose mean is below the floor's share of the baseline's is named with both figures."""
    evidence = QualityEvidence()
    evidence.learn(labelled(SONNET.key, [1.0] * 20))
    evidence.learn(labelled(HAIKU.key, [0.0] * 19))
    evidence.learn(labelled(FLASH.key, [0.5] * 20))
    assert evidence.below(0.9, baseline=SONNET.key) == [(FLASH.key.full_name, "code", 0.5, 0.9)]
    assert evidence.below(0.5, baseline=SONNET.key) == []


def test_bounds_hold_at_every_look() -> None:
    """In at least 95 % of runs the true quality is within the bounds after each single label."""
    missed = 0
    for seed in range(100):
        draw, evidence = random.Random(seed), QualityEvidence()
        for _ in range(300):
            evidence.learn(labelled(FLASH.key, [float(draw.random() < 0.8)]))
            quality = evidence.of(FLASH.key, "code")
            if not quality.low <= 0.8 <= quality.high:
                missed += 1
                break
    assert missed <= 5


def test_a_model_is_demoted_by_drift_and_recovers() -> None:
    """A proven model that becomes bad is demoted within 40 labels, and proven again once it has been good for long enough."""
    evidence = QualityEvidence()
    floor = QualityFloor(0.9, evidence, seed=0)

    def chosen() -> ModelKey:
        return floor.apply(ranking(), SONNET.key, session=None).chosen

    evidence.learn(labelled(SONNET.key, [0.9] * 500))
    evidence.learn(labelled(FLASH.key, [0.9] * 500))
    assert chosen() == FLASH.key
    evidence.learn(labelled(FLASH.key, [0.0] * 40))
    assert chosen() == SONNET.key
    evidence.learn(labelled(FLASH.key, [0.9] * 600))
    assert chosen() == FLASH.key


def test_the_missing_labels_are_right_to_a_factor_of_two() -> None:
    """About as many labels as it says prove a model as good as the baseline."""
    said = labels_missing(UNMEASURED, UNMEASURED, floor=0.9)
    draw, evidence, used = random.Random(1), QualityEvidence(), 0
    while evidence.of(FLASH.key, "code").low < 0.9 * evidence.of(SONNET.key, "code").high:
        used += 2
        for key in (FLASH.key, SONNET.key):
            evidence.learn(labelled(key, [float(draw.random() < 0.9)]))
    assert said / 2 <= used <= said * 2


def test_fewer_labels_are_missing_with_each() -> None:
    """The number falls with the labels of the model and of the baseline, and never below one."""
    none = labels_missing(UNMEASURED, UNMEASURED, floor=0.9)
    some = labels_missing(UNMEASURED._replace(labels=10), UNMEASURED._replace(labels=10), floor=0.9)
    assert (none - some, labels_missing(PROVEN, BASELINE, floor=0.9)) == (20, 1)
    assert labels_missing(BAD, BASELINE, floor=1.0) > 1000


def test_a_restart_learns_the_same_from_the_store() -> None:
    """What was learned in several refreshes is what a new process learns from the outcomes at its first."""
    with closing(SqliteStore(":memory:")) as store:
        running, pauses = QualityEvidence(), []
        for share in (0.9, 0.4, 0.7):
            for outcome in labelled(FLASH.key, [share] * 130):
                store.submit(InsertOutcome(outcome))
            store.flush()
            running.refresh(store, lambda: pauses.append(1))
        restarted = QualityEvidence()
        restarted.refresh(store)
    assert running.of(FLASH.key, "code") == restarted.of(FLASH.key, "code")
    assert restarted.of(FLASH.key, "code").labels > 0
    assert len(pauses) == 6
