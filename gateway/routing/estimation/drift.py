"""Drift detection: notices that a model's quality has changed.

Two-sided CUSUM chart (Page, Biometrika 41, 1954): one sum for outcomes that are worse than predicted, one for better ones. A sum grows
by each residual beyond the slack and falls with each residual within it. A sum above the threshold signals drift. With residuals as
predicted, that happens about once in 20,000 outcomes; a model that starts to fail on everything is noticed after about ten.
"""

from __future__ import annotations

from dataclasses import dataclass

# In standard deviations of one outcome: Page's reference value k and decision interval h.
_SLACK = 0.75
_THRESHOLD = 10.0


@dataclass(frozen=True, slots=True)
class CusumDetector:
    worse: float = 0.0
    better: float = 0.0

    def update(self, residual: float, *, weight: float) -> CusumDetector:
        """`residual` is observed minus predicted quality, in standard deviations."""
        return CusumDetector(
            worse=max(0.0, self.worse + weight * (-residual - _SLACK)),
            better=max(0.0, self.better + weight * (residual - _SLACK)),
        )

    @property
    def drift_detected(self) -> bool:
        return max(self.worse, self.better) > _THRESHOLD
