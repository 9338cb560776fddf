"""What many labelled outcomes say together: for each model a ridge regression and the nearest neighbours, on features and embedding.

The estimates that are learned one at a time are best from the start; from a few hundred labels on, what a prompt is about says more
than its features do, and looking at all labels at once pays. Each model's quality here is the mean of two predictions:

    ridge        linear in the features and the embedding, fitted to what is left of quality after what is expected of the model
    neighbours   the mean quality of its outcomes, each weighed by exp(cosine / TEMPERATURE) of its prompt's embedding to this one's

The weighing is a softmax, so the nearest few hundred of some thousands carry it. NumPy does the sums; it is imported with
this module, which is imported when there are labels enough for a first fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gateway.routing.prompt.embedding import DIMENSIONS

if TYPE_CHECKING:
    from gateway.routing.learning.estimator import Example

Key = tuple[str, str]
Vector = tuple[float, ...]
Matrix = NDArray[np.float32]

# Labels of a model from which it has a place in the ensemble, and how many count as much as the estimate learned one at a time.
LEAST = 100
_TRUST = 300.0

TEMPERATURE = 0.08
_PENALTY = 60.0
# The embedding has length 1; features are about 1 each.
_STRETCH = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """Of one model: the ridge's weights on features and embedding beside what is expected, and its outcomes' embeddings and qualities."""

    expected: Matrix
    ridge: Matrix
    neighbours: Matrix
    qualities: Matrix
    weights: Matrix
    trust: float

    def predicted(self, features: Matrix, embedding: Matrix) -> float:
        linear = features @ self.expected + np.concatenate([features, embedding * np.float32(_STRETCH)]) @ self.ridge
        near = self.weights * np.exp((self.neighbours @ embedding - np.float32(1.0)) / np.float32(TEMPERATURE))
        among = float(near @ self.qualities) / float(near.sum())
        return (min(1.0, max(0.0, float(linear))) + among) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """`centre` is the mean embedding of the labelled prompts: what is common to all says nothing of one."""

    centre: Matrix
    fitted: Mapping[Key, _Fitted]

    def on(self, features: Vector, embedding: Vector) -> Callable[[Key, float], float]:
        """For one request: a model's quality from the online estimate of it, drawn to this one's by how many labels there are."""
        x, e = np.asarray(features, np.float32), _unit(np.asarray(embedding, np.float32) - self.centre)

        def blended(key: Key, online: float) -> float:
            fitted = self.fitted.get(key)
            if fitted is None:
                return online
            return online + fitted.trust * (fitted.predicted(x, e) - online)

        return blended


def fit(examples: Collection[Example], expected: Mapping[Key, Vector]) -> Ensemble:
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


def _fitted(examples: Sequence[Example], embeddings: Matrix, expected: Matrix) -> _Fitted:
    features = np.array([each.features for each in examples], np.float32)
    qualities = np.array([each.quality for each in examples], np.float32)
    weights = np.array([each.weight for each in examples], np.float32)
    x = np.hstack([features, embeddings * np.float32(_STRETCH)]).astype(np.float64)
    weighed = x * weights[:, None]
    ridge = np.linalg.solve(
        weighed.T @ x + _PENALTY * np.eye(x.shape[1]), weighed.T @ (qualities - features @ expected)
    )
    count = float(weights.sum())
    return _Fitted(
        expected=expected,
        ridge=ridge.astype(np.float32),
        neighbours=embeddings,
        qualities=qualities,
        weights=weights,
        trust=count / (count + _TRUST),
    )


def _unit(vectors: Matrix) -> Matrix:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Matrix = (vectors / np.maximum(length, np.float32(1e-6))).astype(np.float32)
    return unit
