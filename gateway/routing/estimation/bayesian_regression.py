"""Online Bayesian linear regression with forgetting: a Gaussian posterior over weights, updated in closed form.

The weights may drift: between observations each follows a stationary first-order autoregressive process around 0 whose variance is
the prior's. Old observations therefore lose influence, and without new ones the posterior returns to the prior. With the diagonal
prior precision L, unit noise variance, and an observation y at x of weight w, the two steps of the Kalman filter are:

    decay by keep     mean m -> keep m,    covariance P -> keep^2 P + (1 - keep^2) L^-1
    update            g = w / (1 + w x'Px),   m -> m + g (y - x'm) Px,   P -> P - g (Px)(Px)'

The update is the conjugate one of Bayesian linear regression (Bishop, Pattern Recognition and Machine Learning, 2006, 3.3.1). Its
covariance is the rank-one update of an inverse (Sherman and Morrison, 1950). The decay is the time update (Kalman, 1960).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING

from gateway.catalog import ModelKey

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = list[float]


@dataclass(frozen=True, slots=True)
class GaussianPosterior:
    """Immutable: an update returns a new posterior, so a reader in another thread never sees a partial update."""

    covariance: tuple[Row, ...]
    mean: tuple[float, ...]

    def update(self, x: Sequence[float], y: float, *, weight: float) -> GaussianPosterior:
        """The posterior after one more observation. At most quadratic in the number of features."""
        px = [dot(row, x) for row in self.covariance]
        gain = weight / (1.0 + weight * dot(x, px))
        covariance = tuple(
            _subtract(row, gain * px_i, px) if px_i else row  # shares the rows of features that were never observed
            for row, px_i in zip(self.covariance, px, strict=True)
        )
        step = gain * (y - dot(x, self.mean))
        return GaussianPosterior(
            covariance=covariance, mean=tuple([m_i + step * px_i for m_i, px_i in zip(self.mean, px, strict=True)])
        )

    def decay(self, keep: float, precision: Sequence[float]) -> GaussianPosterior:
        """Forgetting: moves mean and covariance towards the prior of this `precision`. `keep` is 0 to 1."""
        inflated = self.inflate(keep * keep, precision)
        return GaussianPosterior(covariance=inflated.covariance, mean=tuple([keep * weight for weight in self.mean]))

    def inflate(self, share: float, precision: Sequence[float]) -> GaussianPosterior:
        """More uncertainty, same mean: `share` of the covariance and the rest of the prior's."""
        rows = tuple([[share * value for value in row] for row in self.covariance])
        for i, prior_precision in enumerate(precision):
            rows[i][i] += (1.0 - share) / prior_precision
        return GaussianPosterior(covariance=rows, mean=self.mean)

    def variance(self, x: Sequence[float]) -> float:
        """The variance of the prediction at `x`, in units of the noise variance."""
        return max(0.0, sum([xi * dot(row, x) for row, xi in zip(self.covariance, x, strict=True) if xi]))


def prior(precision: Sequence[float]) -> GaussianPosterior:
    """The posterior before any observation: mean 0, independent weights."""
    size = len(precision)
    rows = tuple([1.0 / precision[i] if i == j else 0.0 for j in range(size)] for i in range(size))
    return GaussianPosterior(covariance=rows, mean=(0.0,) * size)


class PosteriorVariances:
    """`GaussianPosterior.variance` of all models at once, vectorised. Immutable.

    Imports NumPy (24 MB), so it is used only after the ensemble has loaded it. Posteriors that `previous` holds too are not
    converted again.
    """

    def __init__(
        self, posteriors: Mapping[ModelKey, GaussianPosterior], previous: PosteriorVariances | None = None
    ) -> None:
        import numpy as np

        self._covariances: dict[ModelKey, tuple[GaussianPosterior, NDArray[np.float64]]] = {}
        for key, posterior in posteriors.items():
            converted = previous._covariances.get(key) if previous is not None else None
            if converted is None or converted[0] is not posterior:
                converted = posterior, np.array(posterior.covariance)
            self._covariances[key] = converted
        self._stacked = np.array([covariance for _, covariance in self._covariances.values()])

    def variances(self, x: Sequence[float]) -> Mapping[ModelKey, float]:
        """The variance of each model's prediction at `x`, in units of the noise variance."""
        import numpy as np

        vector = np.array(x)
        return dict(zip(self._covariances, (self._stacked @ vector @ vector).clip(0.0).tolist(), strict=True))


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return float(sum(map(mul, a, b)))


def _subtract(row: Row, factor: float, v: Row) -> Row:
    return [value - factor * v_j for value, v_j in zip(row, v, strict=True)]
