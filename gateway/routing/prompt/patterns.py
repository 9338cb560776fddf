"""Classifies a prompt by the kind of task: one of a fixed set of named patterns."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.routing.prompt.lexicon import WORDS
from gateway.routing.prompt.text_stats import TextStats, text_stats

# An instruction usually starts with its verb, which names the task whatever the attached text is about.
_OPENERS: Mapping[str, str] = {
    "translate": "translation",
    "summary": "summarization",
    "extract": "extraction",
    "rewrite": "rewriting",
    "deep": "analysis",
    "explain": "explanation",
    "create": "creative",
    "plan": "planning",
    "greeting": "conversation",
}
# First word -> pattern. A word of several cues counts for the first of them, a question word for none.
_PATTERN_BY_OPENER: Mapping[str, str] = {
    word: name for cue, name in reversed(list(_OPENERS.items())) for word in WORDS[cue] - WORDS["ask"]
}
_OPENER_WEIGHT = 1.5


def identify_pattern(prompt: str) -> str:
    """One of PATTERNS."""
    return pattern_of(text_stats(prompt))


def pattern_of(stats: TextStats) -> str:
    """The first pattern with the highest score; `general` if no score reaches 1."""
    scores = _scores(stats)
    if opened := _PATTERN_BY_OPENER.get(stats.first_word):
        scores[opened] += _OPENER_WEIGHT
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= 1.0 else "general"


def _scores(r: TextStats) -> dict[str, float]:
    cues = r.cues
    return {
        "translation": 3.0 * cues["translate"],
        "summarization": 2.5 * cues["summary"],
        "code": min(cues["code"], 4) * (1.5 if cues["make"] else 1.0) + 2 * (r.fences > 0) + min(3.0, r.code_signs / 6),
        "data": min(cues["data"], 4) * (1.6 if cues["make"] else 1.1),
        "math": min(cues["math"], 4) * 0.8 + min(2.0, r.numbers / 2) * 0.7 + min(3.0, r.math_signs / 4),
        "multiple_choice": 4.5 if r.choices >= 3 else 0.0,
        "extraction": min(cues["extract"], 3) * 0.9,
        "rewriting": min(cues["rewrite"], 2) * 1.4,
        "creative": min(cues["create"], 3) * 1.6 + 1.1 * (cues["make"] > 0),
        "analysis": min(cues["deep"], 3) * 1.5,
        "tool_use": min(cues["tool"], 3) * 1.0,
        "planning": min(cues["plan"], 3) * 0.9,
        "explanation": min(cues["explain"], 3) * 1.2,
        "question": 0.9 * (cues["ask"] > 0) + 0.2 * (r.questions > 0),
        "conversation": 2.0 * (cues["greeting"] > 0 and r.words < 8),
    }


PATTERNS = (*_scores(text_stats("")), "general")
