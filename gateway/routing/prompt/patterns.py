"""Classifies a prompt by the kind of task: one of a fixed set of named patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.routing.prompt.lexicon import WORDS
from gateway.routing.prompt.text_stats import TextStats, text_stats

# A score for each pattern. The first pattern with the highest score wins; `general` if no score reaches 1.
_SCORES: Mapping[str, Callable[[TextStats], float]] = {
    "translation": lambda r: 3.0 * r.cues["translate"],
    "summarization": lambda r: 2.5 * r.cues["summary"],
    "code": lambda r: (
        min(r.cues["code"], 4) * (1.5 if r.cues["make"] else 1.0) + 2 * (r.fences > 0) + min(3.0, r.code_signs / 6)
    ),
    "data": lambda r: min(r.cues["data"], 4) * (1.6 if r.cues["make"] else 1.1),
    "math": lambda r: min(r.cues["math"], 4) * 0.8 + min(2.0, r.numbers / 2) * 0.7 + min(3.0, r.math_signs / 4),
    "multiple_choice": lambda r: 4.5 if r.choices >= 3 else 0.0,
    "extraction": lambda r: min(r.cues["extract"], 3) * 0.9,
    "rewriting": lambda r: min(r.cues["rewrite"], 2) * 1.4,
    "creative": lambda r: min(r.cues["create"], 3) * 1.6 + 1.1 * (r.cues["make"] > 0),
    "analysis": lambda r: min(r.cues["deep"], 3) * 1.5,
    "tool_use": lambda r: min(r.cues["tool"], 3) * 1.0,
    "planning": lambda r: min(r.cues["plan"], 3) * 0.9,
    "explanation": lambda r: min(r.cues["explain"], 3) * 1.2,
    "question": lambda r: 0.9 * (r.cues["ask"] > 0) + 0.2 * (r.questions > 0),
    "conversation": lambda r: 2.0 * (r.cues["greeting"] > 0 and r.words < 8),
}
PATTERNS = (*_SCORES, "general")

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
_OPENER_WEIGHT = 1.5


def identify_pattern(prompt: str) -> str:
    """One of PATTERNS."""
    return pattern_of(text_stats(prompt))


def pattern_of(stats: TextStats) -> str:
    scores = {name: score(stats) for name, score in _SCORES.items()}
    for cue, name in _OPENERS.items():
        if stats.first_word in WORDS[cue] and stats.first_word not in WORDS["ask"]:
            scores[name] += _OPENER_WEIGHT
            break
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= 1.0 else "general"
