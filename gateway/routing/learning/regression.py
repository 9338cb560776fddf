"""Bayesian linear regression, one observation at a time: a Gaussian belief about weights, updated in closed form.

With unit noise, prior mean m and prior precision L (diagonal), observations (x, y, weight w) lead to the posterior

    covariance  P = (L + sum of w x x')^-1           kept up to date by the Sherman-Morrison identity
    mean        P (L m + sum of w y x)               so m may be chosen late: only the evidence, sum of w y x, is kept

which is what lets every model's weights be drawn towards those of all models together while these still change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

Row = list[float]


@dataclass(frozen=True, slots=True)
class Posterior:
    """A value: learning makes a new one, so a reader in another thread never sees half an update."""

    covariance: tuple[Row, ...]
    evidence: tuple[float, ...]

    def learned(self, x: Sequence[float], y: float, *, weight: float) -> Posterior:
        """The belief after one more observation; at most quadratic in the number of features."""
        v = self._times(x)
        scale = weight / (1.0 + weight * dot(x, v))
        rows = tuple(
            _less(row, scale * vi, v) if vi else row  # features never seen are not tied to those seen
            for row, vi in zip(self.covariance, v, strict=True)
        )
        gain = weight * y
        evidence = tuple([old + gain * xi for old, xi in zip(self.evidence, x, strict=True)])
        return Posterior(covariance=rows, evidence=evidence)

    def mean(self, prior_mean: Sequence[float], precision: Sequence[float]) -> tuple[float, ...]:
        pull = list(map(mul, precision, prior_mean))
        total = [pulled + seen for pulled, seen in zip(pull, self.evidence, strict=True)]
        return tuple([dot(row, total) for row in self.covariance])

    def variance(self, x: Sequence[float]) -> float:
        """Of the prediction at x, in units of the noise's variance."""
        return max(0.0, sum([xi * dot(row, x) for row, xi in zip(self.covariance, x, strict=True) if xi]))

    def _times(self, x: Sequence[float]) -> Row:
        return [dot(row, x) for row in self.covariance]


def prior(precision: Sequence[float]) -> Posterior:
    """Before any observation."""
    size = len(precision)
    rows = tuple([1.0 / precision[i] if i == j else 0.0 for j in range(size)] for i in range(size))
    return Posterior(covariance=rows, evidence=(0.0,) * size)


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return float(sum(map(mul, a, b)))


def _less(row: Row, factor: float, v: Row) -> Row:
    return [value - factor * vj for value, vj in zip(row, v, strict=True)]
