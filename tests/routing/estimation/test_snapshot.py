from __future__ import annotations

import zlib
from typing import Any

import orjson
import pytest

from gateway.catalog.catalog import Catalog
from gateway.routing.estimation.estimator import Estimator, EstimatorState
from gateway.routing.estimation.examples import Observation
from gateway.routing.estimation.snapshot import READABLE_FORMATS, CheckpointError, dumps, loads
from tests.routing.estimation.test_estimator import CELLS, WARS, estimate, observation
from tests.routing.worlds import FLASH, HAIKU, SONNET, THREE


def observations(count: int) -> list[Observation]:
    """Of three models, on prompts of two topics, enough of them for an ensemble."""
    prompts = WARS + CELLS
    return [
        observation((FLASH, HAIKU, SONNET)[i % 3], prompts[i % 10], quality=float(i % 7 < 4 + i % 3))
        for i in range(count)
    ]


def broken(**changes: object) -> bytes:
    """A valid checkpoint with these members replaced."""
    document = orjson.loads(zlib.decompress(dumps(Estimator(THREE, EstimatorState()).state())))
    return zlib.compress(orjson.dumps({**document, **changes}))


def test_restored_estimator_continues_with_identical_estimates() -> None:
    """Estimates are equal to the last digit, now and after further outcomes, with the ensemble."""
    original = Estimator(THREE)
    original.learn(observations(700))
    restored = Estimator(THREE, loads(dumps(original.state())))

    assert restored.learned == 700
    for more in ([], observations(200)):
        before, after = original.learn(more), restored.learn(more)
        assert before.ensemble is not None
        assert [estimate(after, model, WARS[0]) for model in THREE] == [
            estimate(before, model, WARS[0]) for model in THREE
        ]
        assert after.cost_rate == before.cost_rate


def test_state_without_ensemble_is_restored() -> None:
    """Before the first fit a checkpoint has no ensemble."""
    original = Estimator(THREE)
    before = original.learn([observation(FLASH, quality=0.2)] * 5)

    assert Estimator(THREE, loads(dumps(original.state()))).estimates() == before


def _in_layout_2(document: dict[str, Any], cost_rate: str) -> dict[str, Any]:
    """The anchor of the cost multiplier was the best model."""
    return {
        **document,
        cost_rate: {("best" if name == "anchor" else name): value for name, value in document[cost_rate].items()},
    }


def in_layout_2(body: bytes) -> bytes:
    """The same state under the names of layout 2."""
    return zlib.compress(orjson.dumps(_in_layout_2(orjson.loads(zlib.decompress(body)), "cost_rate")))


def in_layout_1(body: bytes) -> bytes:
    """The same state under the names of layout 1."""
    document = orjson.loads(zlib.decompress(body))
    renamed = {"difficulty": "hardship", "stats": "tallies", "cost_rate": "exchange"}
    document = _in_layout_2({renamed.get(name, name): value for name, value in document.items()}, "exchange")
    for belief in (document["hardship"], *[model for _, _, model in document["own"]]):
        belief["belief"] = belief.pop("posterior")
    return zlib.compress(orjson.dumps(document))


def test_checkpoints_of_earlier_layouts_are_read() -> None:
    """A ledger that an earlier version wrote keeps what was learned."""
    estimator = Estimator(THREE)
    estimator.learn(observations(700))
    body = dumps(estimator.state())

    assert loads(in_layout_1(body)) == loads(body)
    assert loads(in_layout_2(body)) == loads(body)
    assert len(READABLE_FORMATS) == 3


def test_models_missing_from_the_catalogue_are_dropped() -> None:
    """A checkpoint with a model that the catalogue no longer lists is still good for the others."""
    original = Estimator(THREE)
    before = original.learn(observations(700))
    restored = Estimator(Catalog([FLASH, SONNET]), loads(dumps(original.state())))

    assert estimate(restored.estimates(), FLASH).quality == pytest.approx(estimate(before, FLASH).quality, abs=0.02)
    assert restored.learn([observation(HAIKU), observation(SONNET)]).learned == 702


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        zlib.compress(b"nonsense"),
        zlib.compress(b"[]"),
        broken(learned="many"),
        broken(difficulty={"posterior": {"covariance": [], "mean": []}, "judged": 1}),
        broken(difficulty={"posterior": {"covariance": [], "mean": [0.0]}, "judged": 1}),
        broken(paid=[["gemini", "x", None, 1.0]]),
        broken(recent=[["code", 0.5, 10, {}, [1.0]]]),
        broken(examples=[{"model": ["a", "b"], "features": [], "embedding": [], "quality": 1.0, "weight": 1.0}]),
    ],
    ids=["empty", "not packed", "not JSON", "no object", "no count", "no rows", "short", "null", "vector", "example"],
)
def test_invalid_checkpoints_are_refused(body: bytes) -> None:
    """Any kind of damage is recognised."""
    with pytest.raises(CheckpointError):
        loads(body)


def test_sizes_are_held_to_this_version() -> None:
    """A posterior over other features is refused, even if its numbers are valid."""
    document = orjson.loads(zlib.decompress(dumps(Estimator(THREE).state())))
    document["difficulty"]["posterior"]["covariance"].pop()

    with pytest.raises(CheckpointError, match="features instead of"):
        loads(zlib.compress(orjson.dumps(document)))
