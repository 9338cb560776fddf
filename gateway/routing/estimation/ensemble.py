"""A batch-trained ensemble per model: ridge regression and kernel-weighted nearest neighbours, on features and prompt embedding.

The online estimates are better at the start. From a few hundred labels on, the topic of a prompt (its embedding) predicts more than its
features, and fitting all labels at once pays off. The predicted quality of each model is a mixture of two predictors:

    ridge        linear in features and embedding, fitted to the residuals of the quality against its expected value
    knn          the expected value plus the mean residual of the model's labelled prompts, each weighted by the kernel
                 exp((cosine similarity - 1) / TEMPERATURE) of the two embeddings; 0 where no prompt is similar (Nadaraya, Watson 1964)

The mixing weight minimises the squared leave-one-out error (stacking; Wolpert, Neural Networks 5, 1992). This module imports NumPy.
It is imported itself only when there are enough labels for a first fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.catalog import ModelKey
from gateway.routing.estimation.examples import LabelledExample
from gateway.routing.estimation.throttle import Pause, no_pause
from gateway.routing.prompt.embedding import DIMENSIONS

Vector = tuple[float, ...]
Matrix = NDArray[np.float32]

# A model with fewer labels is left out.
MIN_EXAMPLES = 100
# The weight of the online estimate, in labels.
_ONLINE_WEIGHT = 300.0

TEMPERATURE = 0.08
_RIDGE_PENALTY = 60.0
# Added to the kernel mass, so that the predicted residual goes to 0 where few prompts are similar: a model's labels are biased to the
# prompts that it was chosen for.
_MIN_KERNEL_MASS = 0.02
# Only the newest labels are used for the leave-one-out error of the neighbours: their kernel matrix is quadratic.
_LEFT_OUT = 1_000
# Scales the embedding, which has length 1, to the size of the features, which are about 1 each.
_EMBEDDING_SCALE = 3.0

# The same in single precision, converted once.
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_SCALE, _TEMPERATURE, _MASS = np.float32(_EMBEDDING_SCALE), np.float32(TEMPERATURE), np.float32(_MIN_KERNEL_MASS)
_OFFSET, _SHORTEST = np.float32(128.0), np.float32(1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """The fit of one model: the weights of its expected quality, the ridge weights, and its labelled prompts.

    `neighbours` are unit embeddings, one a row; `residuals` and `weights` are those of the same labels.
    """

    expected: Matrix
    ridge: Matrix
    neighbours: Matrix
    residuals: Matrix
    weights: Matrix
    mixing_weight: float
    shrinkage: float


@dataclass(frozen=True, slots=True, eq=False)
class _Stacked:
    """All members as arrays, one row a model. The neighbours of all models are concatenated; each model's begin at its `starts`."""

    keys: Sequence[ModelKey]
    expected: Matrix
    ridge: Matrix
    mixing_weights: Matrix
    starts: NDArray[np.intp]
    neighbours: Matrix
    residuals: Matrix
    weights: Matrix

    def predict(self, features: Matrix, embedding: Matrix) -> Mapping[ModelKey, float]:
        """The quality of each model."""
        expected = self.expected @ features
        linear = expected + self.ridge @ np.concatenate([features, embedding * _SCALE])
        # In place: arrays of one number for each label are the largest here.
        kernel = self.neighbours @ embedding
        kernel -= _ONE
        kernel /= _TEMPERATURE
        np.exp(kernel, out=kernel)
        kernel *= self.weights
        kernel_mass: Matrix = np.add.reduceat(kernel, self.starts)
        kernel *= self.residuals
        residuals: Matrix = np.add.reduceat(kernel, self.starts)
        knn = expected + residuals / (kernel_mass + _MASS)
        mixed = (1 - self.mixing_weights) * _clipped(linear) + self.mixing_weights * _clipped(knn)
        return dict(zip(self.keys, mixed.tolist(), strict=True))


def _stacked(members: Mapping[ModelKey, _Member]) -> _Stacked:
    values = list(members.values())
    sizes = [len(member.weights) for member in values]
    return _Stacked(
        keys=list(members),
        expected=np.stack([member.expected for member in values]),
        ridge=np.stack([member.ridge for member in values]),
        mixing_weights=np.array([member.mixing_weight for member in values], np.float32),
        starts=np.cumsum([0, *sizes[:-1]]),
        neighbours=np.concatenate([member.neighbours for member in values]),
        residuals=np.concatenate([member.residuals for member in values]),
        weights=np.concatenate([member.weights for member in values]),
    )


class Ensemble:
    """`centre` is the mean embedding of the training prompts. It is subtracted from each embedding before normalisation."""

    def __init__(self, centre: Matrix, members: Mapping[ModelKey, _Member]) -> None:
        self._centre = centre
        self._shrinkage = {key: member.shrinkage for key, member in members.items()}
        self._stacked = _stacked(members) if members else None

    def on(self, features: Vector, embedding: bytes) -> Callable[[ModelKey, float], float]:
        """For one request: a function from a model and its online estimate to the estimate shrunk towards the ensemble's.

        `embedding` has one byte for each component, with an offset of 128.
        """
        if self._stacked is None:
            return lambda key, online: online
        x, components = np.array(features, np.float32), np.frombuffer(embedding, np.uint8) - _OFFSET
        predictions = self._stacked.predict(x, _unit(components - self._centre))

        def blended(key: ModelKey, online: float) -> float:
            shrinkage = self._shrinkage.get(key)
            return online if shrinkage is None else online + shrinkage * (predictions[key] - online)

        return blended


def fit(
    examples: Sequence[LabelledExample], expected: Mapping[ModelKey, Vector], *, pause: Pause = no_pause
) -> Ensemble:
    """Fits all models that have enough labels. `expected` are the quality weights of each model without its own deviations."""
    of_model: dict[ModelKey, list[int]] = {}
    for index, example in enumerate(examples):
        of_model.setdefault(example.model, []).append(index)
    pause()
    embeddings = _embeddings(examples)
    centre = embeddings.mean(axis=0) if len(examples) else np.zeros(DIMENSIONS, np.float32)
    embeddings = _unit(embeddings - centre)
    members = {}
    for key, weights in expected.items():
        rows = of_model.get(key, [])
        if len(rows) >= MIN_EXAMPLES:
            pause()
            members[key] = _fit_member(
                [examples[row] for row in rows], embeddings[rows], np.asarray(weights, np.float32)
            )
    return Ensemble(centre, members)


def _embeddings(examples: Sequence[LabelledExample]) -> Matrix:
    # As one buffer: NumPy converts a list of arrays number by number, and no other thread runs meanwhile.
    joined = b"".join([example.embedding for example in examples])
    return np.frombuffer(joined, np.int8).reshape(-1, DIMENSIONS).astype(np.float32)


def _features(examples: Sequence[LabelledExample]) -> Matrix:
    joined = b"".join([example.features for example in examples])
    return np.frombuffer(joined, np.float64).reshape(len(examples), -1).astype(np.float32)


def _fit_member(examples: Sequence[LabelledExample], embeddings: Matrix, expected: Matrix) -> _Member:
    features = _features(examples)
    qualities = np.array([example.quality for example in examples], np.float32)
    weights = np.array([example.weight for example in examples], np.float32)
    x = np.hstack([features, embeddings * np.float32(_EMBEDDING_SCALE)]).astype(np.float64)
    weighted = x * weights[:, None]
    inverse = np.linalg.inv(weighted.T @ x + _RIDGE_PENALTY * np.eye(x.shape[1]))
    residuals = qualities - features @ expected
    ridge = inverse @ (weighted.T @ residuals)
    # Leave-one-out predictions from the leverages h_ii, the diagonal of the hat matrix: y_i - r_i / (1 - h_ii) (Allen's PRESS, 1974).
    leverage = np.einsum("ij,ij->i", x @ inverse, weighted)
    linear = residuals - (residuals - x @ ridge) / np.maximum(1.0 - leverage, 1e-6)
    knn = _leave_one_out_knn(embeddings[-_LEFT_OUT:], residuals[-_LEFT_OUT:], weights[-_LEFT_OUT:])
    label_weight = float(weights.sum())
    return _Member(
        expected=expected,
        ridge=ridge.astype(np.float32),
        neighbours=embeddings,
        residuals=residuals,
        weights=weights,
        mixing_weight=_mixing_weight(residuals[-_LEFT_OUT:], linear[-_LEFT_OUT:], knn),
        shrinkage=label_weight / (label_weight + _ONLINE_WEIGHT),
    )


def _leave_one_out_knn(embeddings: Matrix, residuals: Matrix, weights: Matrix) -> Matrix:
    """For each label, the residual that its neighbours predict without it."""
    kernel = np.exp((embeddings @ embeddings.T - np.float32(1.0)) / np.float32(TEMPERATURE))
    np.fill_diagonal(kernel, 0.0)
    predictions: Matrix = (kernel @ (weights * residuals) / (kernel @ weights + np.float32(_MIN_KERNEL_MASS))).astype(
        np.float32
    )
    return predictions


def _mixing_weight(residuals: Matrix, linear: NDArray[np.float64], knn: Matrix) -> float:
    """The weight of the neighbours, 0 to 1, that minimises the squared error of the mixture; 0 if the two predictors agree."""
    difference = knn - linear
    total = float(difference @ difference)
    return min(1.0, max(0.0, float((residuals - linear) @ difference) / total)) if total > 0 else 0.0


def _clipped(qualities: Matrix) -> Matrix:
    return np.minimum(np.maximum(qualities, _ZERO), _ONE)


def _unit(vectors: Matrix) -> Matrix:
    squares: Matrix = np.add.reduce(vectors * vectors, axis=-1, keepdims=True)
    lengths: Matrix = np.maximum(np.sqrt(squares), _SHORTEST)
    return vectors / lengths
