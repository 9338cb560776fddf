"""How demanding a prompt is, as one number from 0 to 1, and the tier that number asks for."""

from __future__ import annotations

import math

from gateway.catalog.catalog import Tier
from gateway.routing.prompt.text_stats import TextStats, text_stats

SIMPLE_BELOW = 0.3
MODERATE_BELOW = 0.7

# A prompt of so many words has all the weight that length alone can give.
_WORDS_AT_FULL = 600


def score_complexity(prompt: str) -> float:
    """0 for a greeting, about 0.4 for a request to explain, towards 1 for analysis, proof and design in many parts."""
    return complexity_of(text_stats(prompt))


def complexity_of(reading: TextStats) -> float:
    """A weighted sum of what makes work: length, what is asked for, how much has to hold at once, code and mathematics."""
    cues = reading.cues
    score = (
        0.26 * min(1.0, math.log1p(reading.words) / math.log1p(_WORDS_AT_FULL))
        + 0.28 * _some(cues["explain"], 3)
        + 0.60 * _some(cues["deep"], 2)
        + 0.10 * _some(cues["logic"], 8)
        + 0.10
        * _some(cues["make"] + cues["create"] + cues["plan"] + cues["rewrite"] + cues["summary"] + cues["translate"], 4)
        + 0.22 * _some(cues["code"] + reading.fences + reading.code_signs // 6, 6)
        + 0.14 * _some(cues["math"] + reading.math_signs // 4, 8)
        + 0.08 * _some(reading.items + max(0, reading.questions - 1), 6)
    )
    return round(min(1.0, score), 4)


def _some(count: int, enough: int) -> float:
    """0 for none, 0.7 for the first, then slowly to 1 at `enough`: the first cue says most."""
    if count <= 0:
        return 0.0
    return 0.7 + 0.3 * min(1.0, (count - 1) / (enough - 1))


def tier_of(complexity: float) -> Tier:
    if complexity < SIMPLE_BELOW:
        return "simple"
    return "moderate" if complexity < MODERATE_BELOW else "complex"
