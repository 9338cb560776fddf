"""What many labelled outcomes say together: for each model a ridge regression and the nearest neighbours, on features and embedding.

The estimates that are learned one at a time are best from the start; from a few hundred labels on, what a prompt is about says more
than its features do, and looking at all labels at once pays. Each model's quality here is a mixture of two predictions:

    ridge        linear in the features and the embedding, fitted to what is left of quality after what is expected of the model
    neighbours   what is expected of the model and the mean of what its outcomes were beyond that, each weighed by
                 exp((cosine - 1) / TEMPERATURE) of its prompt's embedding to this one's; 0 where none is near

The weighing is a softmax, so the nearest few hundred of some thousands carry it. How much each of the two counts is found by leaving
out one label after the other: the share of the neighbours is the one that would have predicted what was left out best (stacking, Wolpert 1992). NumPy does the sums; it is imported with
this module, which is imported when there are labels enough for a first fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.routing.estimation.examples import Key, LabelledExample
from gateway.routing.prompt.embedding import DIMENSIONS

Vector = tuple[float, ...]
Matrix = NDArray[np.float32]

# Labels of a model from which it has a place in the ensemble, and how many count as much as the estimate learned one at a time.
LEAST = 100
_TRUST = 300.0

TEMPERATURE = 0.08
_PENALTY = 60.0
# Neighbours that together weigh no more than this are not heard: a model's labels are of the prompts that it was chosen for.
_NEAR_ENOUGH = 0.02
# So many of the newest labels are left out in turn: their distances are a square.
_LEFT_OUT = 1_000
# The embedding has length 1; features are about 1 each.
_STRETCH = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """Of one model: the ridge's weights on features and embedding beside what is expected, and its outcomes' embeddings and what they were beyond that."""

    expected: Matrix
    ridge: Matrix
    neighbours: Matrix
    residuals: Matrix
    weights: Matrix
    mixing_weight: float
    shrinkage: float


@dataclass(frozen=True, slots=True, eq=False)
class _Stacked:
    """All fitted models: a row for each, and each one's neighbours from its place in `starts` on."""

    keys: Sequence[Key]
    expected: Matrix
    ridge: Matrix
    shares: Matrix
    starts: NDArray[np.intp]
    neighbours: Matrix
    residuals: Matrix
    weights: Matrix

    def predicted(self, features: Matrix, embedding: Matrix) -> Mapping[Key, float]:
        """Each model's quality."""
        expected = self.expected @ features
        linear = expected + self.ridge @ np.concatenate([features, embedding * np.float32(_STRETCH)])
        near = self.weights * np.exp((self.neighbours @ embedding - np.float32(1.0)) / np.float32(TEMPERATURE))
        heard = np.add.reduceat(near, self.starts) + np.float32(_NEAR_ENOUGH)
        among = expected + np.add.reduceat(near * self.residuals, self.starts) / heard
        mixed = (1 - self.shares) * linear.clip(0, 1) + self.shares * among.clip(0, 1)
        return dict(zip(self.keys, mixed.tolist(), strict=True))


def _stacked(fitted: Mapping[Key, _Fitted]) -> _Stacked:
    each = list(fitted.values())
    sizes = [len(one.weights) for one in each]
    return _Stacked(
        keys=list(fitted),
        expected=np.stack([one.expected for one in each]),
        ridge=np.stack([one.ridge for one in each]),
        shares=np.array([one.mixing_weight for one in each], np.float32),
        starts=np.cumsum([0, *sizes[:-1]]),
        neighbours=np.concatenate([one.neighbours for one in each]),
        residuals=np.concatenate([one.residuals for one in each]),
        weights=np.concatenate([one.weights for one in each]),
    )


class Ensemble:
    """`centre` is the mean embedding of the labelled prompts: what is common to all says nothing of one."""

    def __init__(self, centre: Matrix, fitted: Mapping[Key, _Fitted]) -> None:
        self._centre = centre
        self._trust = {key: each.shrinkage for key, each in fitted.items()}
        self._stacked = _stacked(fitted) if fitted else None

    def on(self, features: Vector, embedding: Vector) -> Callable[[Key, float], float]:
        """For one request: a model's quality from the online estimate of it, drawn to this one's by how many labels there are."""
        if self._stacked is None:
            return lambda key, online: online
        x, e = np.asarray(features, np.float32), _unit(np.asarray(embedding, np.float32) - self._centre)
        predicted = self._stacked.predicted(x, e)

        def blended(key: Key, online: float) -> float:
            trust = self._trust.get(key)
            return online if trust is None else online + trust * (predicted[key] - online)

        return blended


def fit(examples: Collection[LabelledExample], expected: Mapping[Key, Vector]) -> Ensemble:
    """From labelled outcomes, and the weights that are expected of each model without what it has of its own."""
    embeddings = np.array([each.embedding for each in examples], np.float32).reshape(-1, DIMENSIONS)
    centre = embeddings.mean(axis=0) if len(examples) else np.zeros(DIMENSIONS, np.float32)
    embeddings = _unit(embeddings - centre)
    fitted = {}
    for key, weights in expected.items():
        own = [(place, each) for place, each in enumerate(examples) if each.model == key]
        if len(own) >= LEAST:
            places = [place for place, _ in own]
            fitted[key] = _fitted([each for _, each in own], embeddings[places], np.asarray(weights, np.float32))
    return Ensemble(centre, fitted)


def _fitted(examples: Sequence[LabelledExample], embeddings: Matrix, expected: Matrix) -> _Fitted:
    features = np.array([each.features for each in examples], np.float32)
    qualities = np.array([each.quality for each in examples], np.float32)
    weights = np.array([each.weight for each in examples], np.float32)
    x = np.hstack([features, embeddings * np.float32(_STRETCH)]).astype(np.float64)
    weighed = x * weights[:, None]
    inverse = np.linalg.inv(weighed.T @ x + _PENALTY * np.eye(x.shape[1]))
    beyond = qualities - features @ expected
    ridge = inverse @ (weighed.T @ beyond)
    # What a ridge fitted without a label says of it follows from how much the label pulled its own prediction.
    pull = np.einsum("ij,ij->i", x @ inverse, weighed)
    unseen = beyond - (beyond - x @ ridge) / np.maximum(1.0 - pull, 1e-6)
    count = float(weights.sum())
    return _Fitted(
        expected=expected,
        ridge=ridge.astype(np.float32),
        neighbours=embeddings,
        residuals=beyond,
        weights=weights,
        mixing_weight=_share(beyond[-_LEFT_OUT:], unseen[-_LEFT_OUT:], _among_others(embeddings, beyond, weights)),
        shrinkage=count / (count + _TRUST),
    )


def _among_others(embeddings: Matrix, beyond: Matrix, weights: Matrix) -> Matrix:
    """What the neighbours say of each of the newest labels, itself left out."""
    embeddings, beyond, weights = embeddings[-_LEFT_OUT:], beyond[-_LEFT_OUT:], weights[-_LEFT_OUT:]
    near = np.exp((embeddings @ embeddings.T - np.float32(1.0)) / np.float32(TEMPERATURE))
    np.fill_diagonal(near, 0.0)
    said: Matrix = (near @ (weights * beyond) / (near @ weights + np.float32(_NEAR_ENOUGH))).astype(np.float32)
    return said


def _share(beyond: Matrix, linear: NDArray[np.float64], among: Matrix) -> float:
    """Of the neighbours in the mixture with the least squared error, from 0 to 1."""
    apart = among - linear
    total = float(apart @ apart)
    return min(1.0, max(0.0, float((beyond - linear) @ apart) / total)) if total > 0 else 0.0


def _unit(vectors: Matrix) -> Matrix:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Matrix = (vectors / np.maximum(length, np.float32(1e-6))).astype(np.float32)
    return unit
