"""Notices that a model is no longer what it was: the outcomes are too far on one side of what was expected, too often.

Two sums (CUSUM, Page 1954), one for worse and one for better than expected, grow with each surprise beyond an allowance and fall
with every outcome within it; one that passes the limit is news. Outcomes that are as expected pass it about once in 20,000,
a model that begins to fail on everything after about ten.
"""

from __future__ import annotations

from dataclasses import dataclass

# In standard deviations of one outcome.
_ALLOWED = 0.75
_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class CusumDetector:
    worse: float = 0.0
    better: float = 0.0

    def update(self, surprise: float, *, weight: float) -> CusumDetector:
        """`surprise` is quality minus what was expected, in standard deviations."""
        return CusumDetector(
            worse=max(0.0, self.worse + weight * (-surprise - _ALLOWED)),
            better=max(0.0, self.better + weight * (surprise - _ALLOWED)),
        )

    @property
    def drift_detected(self) -> bool:
        return max(self.worse, self.better) > _LIMIT
