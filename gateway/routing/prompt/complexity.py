"""The complexity of a prompt as one number from 0 to 1, and the tier that it calls for."""

from __future__ import annotations

import math

from gateway.catalog.catalog import Tier
from gateway.routing.prompt.text_stats import TextStats, text_stats

SIMPLE_BELOW = 0.3
MODERATE_BELOW = 0.7

# Number of words at which the length term is at its maximum.
_MAX_WORDS = 600


def score_complexity(prompt: str) -> float:
    """0 for a greeting, about 0.4 for a request to explain, close to 1 for analysis, proof and design with many parts."""
    return complexity_of(text_stats(prompt))


def complexity_of(stats: TextStats) -> float:
    """A weighted sum of length, the kind of task, the number of conditions, code and mathematics."""
    cues = stats.cues
    score = (
        0.26 * min(1.0, math.log1p(stats.words) / math.log1p(_MAX_WORDS))
        + 0.28 * _saturating(cues["explain"], 3)
        + 0.60 * _saturating(cues["deep"], 2)
        + 0.10 * _saturating(cues["logic"], 8)
        + 0.10
        * _saturating(
            cues["make"] + cues["create"] + cues["plan"] + cues["rewrite"] + cues["summary"] + cues["translate"], 4
        )
        + 0.22 * _saturating(cues["code"] + stats.fences + stats.code_signs // 6, 6)
        + 0.14 * _saturating(cues["math"] + stats.math_signs // 4, 8)
        + 0.08 * _saturating(stats.items + max(0, stats.questions - 1), 6)
    )
    return round(min(1.0, score), 4)


def _saturating(count: int, limit: int) -> float:
    """0 for no cue, 0.7 for the first one, then linearly to 1 at `limit`: the first cue carries most information."""
    if count <= 0:
        return 0.0
    return 0.7 + 0.3 * min(1.0, (count - 1) / (limit - 1))


def tier_of(complexity: float) -> Tier:
    if complexity < SIMPLE_BELOW:
        return "simple"
    return "moderate" if complexity < MODERATE_BELOW else "complex"
