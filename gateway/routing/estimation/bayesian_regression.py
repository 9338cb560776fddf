"""Bayesian linear regression that follows drift, one observation at a time: a Gaussian belief about weights, updated in closed form.

Weights are not fixed: between observations they wander, each around 0 and within its prior's spread (an Ornstein-Uhlenbeck process).
So old observations count less and less, and a belief that is never fed comes back to its prior. With prior precision L
(diagonal), unit noise, and an observation y at x of weight w, these are the Kalman filter's two steps:

    fading by keep     mean m -> keep m,    covariance P -> keep^2 P + (1 - keep^2) L^-1
    learning           g = w / (1 + w x'Px),   m -> m + g (y - x'm) Px,   P -> P - g (Px)(Px)'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING

from gateway.routing.estimation.examples import Key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = list[float]


@dataclass(frozen=True, slots=True)
class GaussianPosterior:
    """A value: learning makes a new one, so a reader in another thread never sees half an update."""

    covariance: tuple[Row, ...]
    mean: tuple[float, ...]

    def update(self, x: Sequence[float], y: float, *, weight: float) -> GaussianPosterior:
        """The belief after one more observation; at most quadratic in the number of features."""
        v = [dot(row, x) for row in self.covariance]
        gain = weight / (1.0 + weight * dot(x, v))
        rows = tuple(
            _less(row, gain * vi, v) if vi else row  # features never seen are not tied to those seen
            for row, vi in zip(self.covariance, v, strict=True)
        )
        step = gain * (y - dot(x, self.mean))
        return GaussianPosterior(
            covariance=rows, mean=tuple([old + step * vi for old, vi in zip(self.mean, v, strict=True)])
        )

    def decay(self, keep: float, precision: Sequence[float]) -> GaussianPosterior:
        """Time has passed: the weights may have wandered, and lean towards the prior."""
        widened = self.inflate(keep * keep, precision)
        return GaussianPosterior(covariance=widened.covariance, mean=tuple([keep * weight for weight in self.mean]))

    def inflate(self, share: float, precision: Sequence[float]) -> GaussianPosterior:
        """Less sure, though of the same weights: `share` of the covariance is kept, the rest is the prior's."""
        rows = tuple([[share * value for value in row] for row in self.covariance])
        for i, held in enumerate(precision):
            rows[i][i] += (1.0 - share) / held
        return GaussianPosterior(covariance=rows, mean=self.mean)

    def variance(self, x: Sequence[float]) -> float:
        """Of the prediction at x, in units of the noise's variance."""
        return max(0.0, sum([xi * dot(row, x) for row, xi in zip(self.covariance, x, strict=True) if xi]))


def prior(precision: Sequence[float]) -> GaussianPosterior:
    """Before any observation."""
    size = len(precision)
    rows = tuple([1.0 / precision[i] if i == j else 0.0 for j in range(size)] for i in range(size))
    return GaussianPosterior(covariance=rows, mean=(0.0,) * size)


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return float(sum(map(mul, a, b)))


class PosteriorVariances:
    """`GaussianPosterior.variance` of all models at once, with NumPy: a value, like the posteriors it is made of.

    NumPy is loaded with the first one (24 MB), so this is used only where the ensemble has loaded it already.
    Posteriors that are the same objects as in `previous` are not converted again.
    """

    def __init__(self, posteriors: Mapping[Key, GaussianPosterior], previous: PosteriorVariances | None = None) -> None:
        import numpy as np

        self._covariances: dict[Key, tuple[GaussianPosterior, NDArray[np.float64]]] = {}
        for key, posterior in posteriors.items():
            converted = previous._covariances.get(key) if previous is not None else None
            if converted is None or converted[0] is not posterior:
                converted = posterior, np.array(posterior.covariance)
            self._covariances[key] = converted
        self._stacked = np.array([covariance for _, covariance in self._covariances.values()])

    def variances(self, x: Sequence[float]) -> Mapping[Key, float]:
        """The variance of each model's prediction at `x`, in units of the noise variance."""
        import numpy as np

        at = np.array(x)
        return dict(zip(self._covariances, (self._stacked @ at @ at).clip(0.0).tolist(), strict=True))


def _less(row: Row, factor: float, v: Row) -> Row:
    return [value - factor * vj for value, vj in zip(row, v, strict=True)]
