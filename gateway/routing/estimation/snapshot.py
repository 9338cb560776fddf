"""What an estimator has learned, as bytes and back: compressed JSON of numbers and names, nothing that is run."""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from gateway.routing.estimation.bayesian_regression import GaussianPosterior
from gateway.routing.estimation.cost_quality import CostQualityRate
from gateway.routing.estimation.difficulty import FailureRate, PromptDifficulty
from gateway.routing.estimation.drift import CusumDetector
from gateway.routing.estimation.estimator import EstimatorState, LabelledExample, ModelState
from gateway.routing.estimation.evidence import QualityStats
from gateway.routing.estimation.usage import RunningMeans, TokenEstimates
from gateway.routing.prompt.embedding import DIMENSIONS
from gateway.routing.prompt.features import NAMES, SIZE
from gateway.routing.prompt.patterns import PATTERNS
from gateway.routing.types import PromptFacts

# A state of other features, or in another layout, means something else by its numbers.
_LAYOUT = 2
FORMAT = blake2b(repr((_LAYOUT, NAMES, PATTERNS, DIMENSIONS)).encode(), digest_size=8).hexdigest()


class CheckpointError(ValueError):
    """The bytes are no state, or one of another version."""


def dumps(memory: EstimatorState) -> bytes:
    document = {
        "learned": memory.learned,
        "difficulty": memory.difficulty,
        "own": [[*key, own] for key, own in memory.own.items()],
        "stats": [[*key, pattern, place, stats] for (key, pattern, place), stats in memory.bucket_stats.items()],
        "by_pattern": memory.usage.by_pattern,
        "by_model": [
            [pattern, *key, sums] for pattern, models in memory.usage.by_model.items() for key, sums in models.items()
        ],
        "paid": [[*key, *paid] for key, paid in memory.usage.paid.items()],
        "recent": [
            [each.pattern, each.complexity, each.tokens, dict(each.features), each.vector] for each in memory.recent
        ],
        "cost_rate": memory.cost_rate,
        "examples": memory.examples,
        "labels": memory.labels,
        "next_fit": memory.next_fit,
        "since_fit": memory.since_fit,
        "fitted": None if memory.fitted is None else [[*key, weights] for key, weights in memory.fitted.items()],
    }
    return zlib.compress(orjson.dumps(document, default=_plain), 1)


def loads(body: bytes) -> EstimatorState:
    """Raises StateUnreadable."""
    try:
        return _memory(orjson.loads(zlib.decompress(body)))
    except (zlib.error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"not a state of this version: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, array):
        return value.tolist()
    if isinstance(value, tuple):  # a ModelKey: orjson writes only plain tuples
        return list(value)
    raise TypeError(f"{type(value).__name__} has no place in a state")


def _memory(told: Mapping[str, Any]) -> EstimatorState:
    fitted, cost_rate = told["fitted"], told["cost_rate"]
    by_model: dict[str, dict[tuple[str, str], RunningMeans]] = {}
    for pattern, provider, model, sums in told["by_model"]:
        by_model.setdefault(pattern, {})[provider, model] = _sums(sums)
    return EstimatorState(
        learned=int(told["learned"]),
        difficulty=PromptDifficulty(_posterior(told["difficulty"]["posterior"]), _number(told["difficulty"]["judged"])),
        own={(provider, model): _model_state(own) for provider, model, own in told["own"]},
        bucket_stats={
            ((provider, model), pattern, place): QualityStats(*map(_number, stats.values()))
            for provider, model, pattern, place, stats in told["stats"]
        },
        usage=TokenEstimates(
            by_pattern={pattern: _sums(sums) for pattern, sums in told["by_pattern"].items()},
            by_model=by_model,
            paid={
                (provider, model): (_number(paid), _number(listed)) for provider, model, paid, listed in told["paid"]
            },
        ),
        recent=[_facts(*each) for each in told["recent"]],
        cost_rate=CostQualityRate(
            shares=_numbers(cost_rate["shares"]),
            price=_number(cost_rate["price"]),
            requests=int(cost_rate["requests"]),
            best=None if cost_rate["best"] is None else (cost_rate["best"][0], cost_rate["best"][1]),
        ),
        examples=[_example(each) for each in told["examples"]],
        labels=int(told["labels"]),
        next_fit=int(told["next_fit"]),
        since_fit=int(told["since_fit"]),
        fitted=None if fitted is None else {(provider, model): _vector(weights) for provider, model, weights in fitted},
    )


def _model_state(told: Mapping[str, Any]) -> ModelState:
    return ModelState(
        posterior=_posterior(told["posterior"]),
        record=FailureRate(_number(told["record"]["failed"]), _number(told["record"]["expected"])),
        watch=CusumDetector(_number(told["watch"]["worse"]), _number(told["watch"]["better"])),
        count=int(told["count"]),
    )


def _posterior(told: Mapping[str, Any]) -> GaussianPosterior:
    rows = tuple([list(_vector(row)) for row in told["covariance"]])
    if len(rows) != SIZE:
        raise ValueError(f"{len(rows)} features instead of {SIZE}")
    return GaussianPosterior(covariance=rows, mean=_vector(told["mean"]))


def _example(told: Mapping[str, Any]) -> LabelledExample:
    provider, model = told["model"]
    embedding = _numbers(told["embedding"])
    if len(embedding) != DIMENSIONS:
        raise ValueError(f"an embedding of {len(embedding)} numbers instead of {DIMENSIONS}")
    return LabelledExample(
        model=(provider, model),
        features=array("d", _vector(told["features"])),
        embedding=array("b", map(int, embedding)),
        quality=_number(told["quality"]),
        weight=_number(told["weight"]),
    )


def _facts(
    pattern: str, complexity: float, tokens: int, features: Mapping[str, float], vector: Sequence[float]
) -> PromptFacts:
    return PromptFacts("", pattern, _number(complexity), int(tokens), features, _vector(vector))


def _sums(told: Mapping[str, Any]) -> RunningMeans:
    return RunningMeans(_number(told["count"]), _number(told["surplus"]), _number(told["output"]))


def _vector(told: Sequence[Any]) -> tuple[float, ...]:
    if len(told) != SIZE:
        raise ValueError(f"{len(told)} features instead of {SIZE}")
    return _numbers(told)


def _numbers(told: Sequence[Any]) -> tuple[float, ...]:
    return tuple(map(_number, told))


def _number(told: Any) -> float:
    if not isinstance(told, int | float) or not math.isfinite(told):
        raise ValueError(f"{told!r} is no number")
    return float(told)
