"""Checkpoint format: the state of an estimator as compressed JSON, and back.

Posteriors, statistics and examples are stored under the names of their fields: renaming such a field takes a new layout.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from gateway.catalog import ModelKey
from gateway.routing.estimation.bayesian_regression import GaussianPosterior
from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.difficulty import FailureRate, PromptDifficulty
from gateway.routing.estimation.drift import CusumDetector
from gateway.routing.estimation.estimator import EstimatorState, ModelState
from gateway.routing.estimation.evidence import QualityStats
from gateway.routing.estimation.examples import LabelledExample, ReplayState
from gateway.routing.estimation.throttle import Pause, no_pause
from gateway.routing.estimation.usage import RunningMeans, TokenEstimates
from gateway.routing.prompt.embedding import DIMENSIONS
from gateway.routing.prompt.features import NAMES, SIZE
from gateway.routing.prompt.patterns import PATTERNS
from gateway.routing.types import PromptFacts


def _format(layout: int) -> str:
    """Identifies the layout of the JSON together with the features that its numbers stand for."""
    return blake2b(repr((layout, NAMES, PATTERNS, DIMENSIONS)).encode(), digest_size=8).hexdigest()


FORMAT = _format(3)
# Layouts 1 and 2 have other names for some members.
READABLE_FORMATS = frozenset({FORMAT, _format(2), _format(1)})


class CheckpointError(ValueError):
    """The bytes are not a checkpoint, or one of a format that cannot be read."""


def dumps(state: EstimatorState, *, pause: Pause = no_pause) -> bytes:
    """`pause` is called after each training example: all of them at once would hold up other threads for some 20 ms."""
    usage, replay = state.usage, state.replay
    examples = []
    for example in replay.examples:
        examples.append(orjson.Fragment(orjson.dumps(example, default=_array_as_list)))
        pause()
    document = {
        "learned": state.learned,
        "difficulty": {"posterior": state.difficulty.posterior, "judged": state.difficulty.weight_sum},
        "own": [[*key, _model_document(model)] for key, model in state.models.items()],
        "stats": [[*key, pattern, bin_, stats] for (key, pattern, bin_), stats in state.bucket_stats.items()],
        "by_pattern": usage.by_pattern,
        "by_model": [
            [pattern, *key, means] for pattern, models in usage.by_model.items() for key, means in models.items()
        ],
        "paid": [[*key, *sums] for key, sums in usage.paid.items()],
        "recent": [
            [facts.pattern, facts.complexity, facts.tokens, dict(facts.features), facts.vector]
            for facts in state.recent
        ],
        "cost_rate": state.cost_rate,
        "examples": examples,
        "labels": replay.labels,
        "next_fit": replay.next_fit,
        "since_fit": replay.since_fit,
        "fitted": None if state.fitted is None else [[*key, weights] for key, weights in state.fitted.items()],
    }
    return zlib.compress(orjson.dumps(document, default=_array_as_list), 1)


def loads(body: bytes) -> EstimatorState:
    """Reads a checkpoint of any readable format. Raises CheckpointError."""
    try:
        return _state(_upgraded(orjson.loads(zlib.decompress(body))))
    except (zlib.error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"not a state of this version: {error}") from error


def _model_document(state: ModelState) -> dict[str, Any]:
    return {"posterior": state.posterior, "record": state.failures, "watch": state.drift, "count": state.count}


def _array_as_list(value: Any) -> Any:
    if isinstance(value, array):
        return value.tolist()
    if isinstance(value, tuple):  # a ModelKey: orjson writes only plain tuples
        return list(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored in a checkpoint")


def _upgraded(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document in the layout of today."""
    if "hardship" not in document:
        cost_rate = document["cost_rate"]
        return {**document, "cost_rate": {"anchor": cost_rate.get("best"), **cost_rate}}
    difficulty = document["hardship"]
    return {
        **document,
        "difficulty": {**difficulty, "posterior": difficulty["belief"]},
        "own": [[*key, {**model, "posterior": model["belief"]}] for *key, model in document["own"]],
        "stats": document["tallies"],
        "cost_rate": {"anchor": document["exchange"].get("best"), **document["exchange"]},
    }


def _state(document: Mapping[str, Any]) -> EstimatorState:
    fitted, cost_rate, difficulty = document["fitted"], document["cost_rate"], document["difficulty"]
    by_model: dict[str, dict[ModelKey, RunningMeans]] = {}
    for pattern, provider, model, means in document["by_model"]:
        by_model.setdefault(pattern, {})[ModelKey(provider, model)] = _running_means(means)
    return EstimatorState(
        learned=int(document["learned"]),
        difficulty=PromptDifficulty(_posterior(difficulty["posterior"]), _number(difficulty["judged"])),
        models={ModelKey(provider, model): _model_state(state) for provider, model, state in document["own"]},
        bucket_stats={
            (ModelKey(provider, model), pattern, bin_): QualityStats(*map(_number, stats.values()))
            for provider, model, pattern, bin_, stats in document["stats"]
        },
        usage=TokenEstimates(
            by_pattern={pattern: _running_means(means) for pattern, means in document["by_pattern"].items()},
            by_model=by_model,
            paid={
                ModelKey(provider, model): (_number(paid), _number(list_price))
                for provider, model, paid, list_price in document["paid"]
            },
        ),
        recent=[_facts(*facts) for facts in document["recent"]],
        cost_rate=CostQualityRate(
            shares=_numbers(cost_rate["shares"]),
            price=_number(cost_rate["price"]),
            requests=int(cost_rate["requests"]),
            anchor=None if cost_rate["anchor"] is None else ModelKey(*cost_rate["anchor"]),
            typical=_numbers(cost_rate.get("typical", ())),
        ),
        replay=ReplayState(
            examples=[_example(example) for example in document["examples"]],
            labels=int(document["labels"]),
            next_fit=int(document["next_fit"]),
            since_fit=int(document["since_fit"]),
        ),
        fitted=None
        if fitted is None
        else {ModelKey(provider, model): _vector(weights) for provider, model, weights in fitted},
    )


def _model_state(document: Mapping[str, Any]) -> ModelState:
    failures, drift = document["record"], document["watch"]
    return ModelState(
        posterior=_posterior(document["posterior"]),
        failures=FailureRate(_number(failures["failed"]), _number(failures["expected"])),
        drift=CusumDetector(_number(drift["worse"]), _number(drift["better"])),
        count=int(document["count"]),
    )


def _posterior(document: Mapping[str, Any]) -> GaussianPosterior:
    rows = tuple([list(_vector(row)) for row in document["covariance"]])
    if len(rows) != SIZE:
        raise ValueError(f"{len(rows)} features instead of {SIZE}")
    return GaussianPosterior(covariance=rows, mean=_vector(document["mean"]))


def _example(document: Mapping[str, Any]) -> LabelledExample:
    provider, model = document["model"]
    embedding = _numbers(document["embedding"])
    if len(embedding) != DIMENSIONS:
        raise ValueError(f"an embedding of {len(embedding)} numbers instead of {DIMENSIONS}")
    return LabelledExample(
        model=ModelKey(provider, model),
        features=array("d", _vector(document["features"])),
        embedding=array("b", map(int, embedding)),
        quality=_number(document["quality"]),
        weight=_number(document["weight"]),
    )


def _facts(
    pattern: str, complexity: float, tokens: int, features: Mapping[str, float], vector: Sequence[float]
) -> PromptFacts:
    return PromptFacts("", pattern, _number(complexity), int(tokens), features, _vector(vector))


def _running_means(document: Mapping[str, Any]) -> RunningMeans:
    return RunningMeans(_number(document["count"]), _number(document["surplus"]), _number(document["output"]))


def _vector(values: Sequence[Any]) -> tuple[float, ...]:
    if len(values) != SIZE:
        raise ValueError(f"{len(values)} features instead of {SIZE}")
    return _numbers(values)


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(map(_number, values))


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)
