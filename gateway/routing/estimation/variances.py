"""How sure each model's own weights are, for all models at once: what `Belief.variance` tells of one, with NumPy's sums.

NumPy is imported with this module, which is imported when there are labels enough for a first fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.routing.estimation.bayesian_regression import GaussianPosterior

Key = tuple[str, str]
Matrix = NDArray[np.float64]


class PosteriorVariances:
    """A value. `before` is an earlier one, from which beliefs that did not change since are taken over."""

    def __init__(self, posteriors: Mapping[Key, GaussianPosterior], before: PosteriorVariances | None = None) -> None:
        self._covariances: dict[Key, tuple[GaussianPosterior, Matrix]] = {}
        for key, posterior in posteriors.items():
            known = before._covariances.get(key) if before is not None else None
            if known is None or known[0] is not posterior:
                known = posterior, np.array(posterior.covariance)
            self._covariances[key] = known
        self._stacked = np.array([covariance for _, covariance in self._covariances.values()])

    def variances(self, x: Sequence[float]) -> Mapping[Key, float]:
        """Of each model's prediction at x, in units of the noise's variance."""
        at = np.array(x)
        return dict(zip(self._covariances, (self._stacked @ at @ at).clip(0.0).tolist(), strict=True))
