from __future__ import annotations

import zlib

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
    """A sound state but for these."""
    document = orjson.loads(zlib.decompress(dumps(Estimator(THREE, EstimatorState()).state())))
    return zlib.compress(orjson.dumps({**document, **changes}))


def test_a_restored_estimator_goes_on_as_if_nothing_had_been() -> None:
    """It expects the same, to the last digit, and learns the same from what comes next, ensemble included."""
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


def test_few_outcomes_are_restored_too() -> None:
    """Before there is an ensemble, a state has none."""
    original = Estimator(THREE)
    before = original.learn([observation(FLASH, quality=0.2)] * 5)

    assert Estimator(THREE, loads(dumps(original.state()))).estimates() == before


def in_layout_1(body: bytes) -> bytes:
    """The same state under the names of layout 1."""
    document = orjson.loads(zlib.decompress(body))
    renamed = {"difficulty": "hardship", "stats": "tallies", "cost_rate": "exchange"}
    document = {renamed.get(name, name): value for name, value in document.items()}
    for belief in (document["hardship"], *[model for _, _, model in document["own"]]):
        belief["belief"] = belief.pop("posterior")
    return zlib.compress(orjson.dumps(document))


def test_checkpoint_of_layout_1_is_read() -> None:
    """A ledger that an earlier version wrote keeps what was learned."""
    estimator = Estimator(THREE)
    estimator.learn(observations(700))
    body = dumps(estimator.state())

    assert loads(in_layout_1(body)) == loads(body)
    assert len(READABLE_FORMATS) == 2


def test_models_that_are_gone_do_no_harm() -> None:
    """A state that knows a model which the catalogue no longer lists serves for the others."""
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
def test_what_is_no_state_is_refused(body: bytes) -> None:
    """Damage is told from a state, whatever it looks like."""
    with pytest.raises(CheckpointError):
        loads(body)


def test_sizes_are_held_to_this_version() -> None:
    """A belief about other features than ours is refused, even where its numbers are in order."""
    document = orjson.loads(zlib.decompress(dumps(Estimator(THREE).state())))
    document["difficulty"]["posterior"]["covariance"].pop()

    with pytest.raises(CheckpointError, match="features instead of"):
        loads(zlib.compress(orjson.dumps(document)))
