"""The features of a request, from which quality and cost are predicted: numbers stored by name, never text."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from gateway.routing.prompt.complexity import complexity_of
from gateway.routing.prompt.digest import prompt_digest
from gateway.routing.prompt.embedding import packaged_embedding, packed
from gateway.routing.prompt.patterns import PATTERNS, pattern_of
from gateway.routing.prompt.text_stats import Sample, TextStats, stats_of, text_stats, tokens_of
from gateway.routing.types import PromptFacts, RoutingContext

_CAPACITY = 1000
# In characters. A longer prompt is sampled, so extracting its features costs little more than hashing it.
_LONGEST_CACHED = 32_768


def cached_prompt_facts(prompt: str, context: RoutingContext) -> PromptFacts:
    """The facts in the context if they belong to this prompt, else newly extracted ones."""
    facts = context.facts
    return facts if facts is not None and facts.prompt == prompt else prompt_facts(prompt, context)


class PromptFeatures(NamedTuple):
    """The features of a prompt that do not depend on the rest of its request. `tokens` is the size of the prompt alone.

    `values` are the values of `features`; `embedding` is the packed embedding. `digest` is the prompt's
    keyed `prompt_digest`, where it was computed.
    """

    pattern: str
    complexity: float
    tokens: int
    features: Mapping[str, float]
    values: tuple[float, ...]
    embedding: Mapping[str, float]
    digest: bytes | None = None


def extract(prompt: str) -> PromptFeatures:
    sample = Sample(prompt)
    stats = stats_of(sample)
    pattern, complexity = pattern_of(stats), complexity_of(stats)
    features = _rounded(_prompt_features(stats, complexity))
    embedding = packed(packaged_embedding().of(sample))
    return PromptFeatures(pattern, complexity, tokens_of(prompt), features, tuple(features.values()), embedding)


class RecentPrompts:
    """An LRU cache of the features of recent prompts: while an agent runs tools, each of its requests repeats the same user turn.

    Holds at most `capacity` entries, in memory only. The keys are hashes keyed with `secret`, so no prompt text is kept.
    """

    def __init__(self, *, secret: bytes, capacity: int = _CAPACITY) -> None:
        self._secret = secret
        self._capacity = capacity
        self._features: OrderedDict[bytes, PromptFeatures] = OrderedDict()

    def extract(self, prompt: str) -> PromptFeatures:
        """`extract(prompt)` with its digest, from the cache where possible. Prompts above 32 KB are not cached."""
        digest = prompt_digest(prompt, secret=self._secret)
        if len(prompt) > _LONGEST_CACHED:
            return extract(prompt)._replace(digest=digest)
        features = self._features.pop(digest, None) or extract(prompt)._replace(digest=digest)
        self._features[digest] = features
        while len(self._features) > self._capacity:
            self._features.popitem(last=False)
        return features


def prompt_facts(
    prompt: str, context: RoutingContext | None = None, *, extracted: PromptFeatures | None = None
) -> PromptFacts:
    """The features of a request, centred near 0 with a scale of about 1, with the packed embedding and the prompt's size.

    `extracted` is `extract(prompt)`, if the caller has it.
    """
    if extracted is None:
        extracted = extract(prompt)
    if context is None:
        return request_facts(prompt, extracted)
    return request_facts(
        prompt, extracted, needs=context.needs, turns=context.turns, prompt_tokens=context.prompt_tokens
    )


def request_facts(
    prompt: str,
    extracted: PromptFeatures,
    *,
    needs: Set[str] = frozenset(),
    turns: int = 1,
    prompt_tokens: int | None = None,
) -> PromptFacts:
    """As `prompt_facts`, from the members of a context that count."""
    tokens = extracted.tokens if prompt_tokens is None else prompt_tokens
    history = max(0, tokens - extracted.tokens)
    of_request = _rounded(_request_features(needs=needs, turns=turns, history=history))
    return PromptFacts(
        prompt=prompt,
        pattern=extracted.pattern,
        complexity=extracted.complexity,
        tokens=tokens,
        features={**extracted.features, **of_request, "tokens": tokens, **extracted.embedding},
        vector=(1.0, *extracted.values, *of_request.values(), *_ONE_HOT[extracted.pattern]),
        digest=extracted.digest,
    )


def _rounded(features: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in features.items()}


def _prompt_features(r: TextStats, complexity: float) -> dict[str, float]:
    size = math.log1p(r.length)
    scale = max(1.0, r.words)
    length = min(10.0, (size - 5.3) / 1.2)  # what the vector holds
    return {
        "length": length,
        "length_squared": min(4.0, length * length) - 1.0,
        "complexity": (complexity - 0.35) * 4,
        "word_length": _clamp((r.mean_word_length - 4.5) / 1.2),
        "long_words": r.long_words * 5 - 0.8,
        "capitals": r.capitals * 4 - 0.5,
        "variety": r.variety * 4 - 3.0,
        "non_ascii": r.non_ascii * 2,
        "numbers": math.log1p(r.numbers) - 1.3,
        "number_share": _clamp(r.numbers / scale * 8 - 0.8),
        "long_numbers": _clamp(r.digits / max(1, r.numbers) - 1.5),
        "lines": math.log1p(r.lines - 1) * 0.7 - 0.5,
        "sentences": math.log1p(r.sentences) - 1.0,
        "questions": math.log1p(r.questions) - 0.6,
        "commas": math.log1p(r.commas) * 0.8 - 0.8,
        "quotes": math.log1p(r.quotes) * 0.6 - 0.4,
        "math_signs": math.log1p(r.math_signs) * 0.6 - 0.7,
        "code_signs": math.log1p(r.code_signs) * 0.5 - 0.5,
        "backslashes": math.log1p(r.backslashes) * 0.6 - 0.2,
        "logic": math.log1p(r.cues["logic"]) - 0.5,
        "math_words": math.log1p(r.cues["math"]) - 0.7,
    }


def _request_features(*, needs: Set[str], turns: int, history: int) -> dict[str, float]:
    """All 0 for a minimal request, so that a prompt alone has the same. `history` is the number of tokens besides the prompt."""
    return {
        "tools": float("tools" in needs),
        "schema": float("json_schema" in needs),
        "media": float(not needs.isdisjoint(("vision", "audio", "pdf"))),
        "turns": math.log1p(max(0, turns - 1)) * 0.7,
        "history": math.log1p(history / 1000) * 0.5,
    }


def _clamp(value: float) -> float:
    return max(-2.0, min(2.0, value))


NAMES: tuple[str, ...] = (
    *_prompt_features(text_stats(""), 0.0),
    *_request_features(needs=frozenset(), turns=1, history=0),
)
SIZE = 1 + len(NAMES) + len(PATTERNS)
_ONE_HOT: Mapping[str, tuple[float, ...]] = {
    pattern: tuple(1.0 if pattern == name else 0.0 for name in PATTERNS) for pattern in PATTERNS
}
_UNKNOWN_PATTERN = (0.0,) * len(PATTERNS)


def vector_of(pattern: str, features: Mapping[str, float]) -> tuple[float, ...]:
    """A constant 1, the features in order, and the pattern one-hot encoded. A missing feature counts as average, 0."""
    return (1.0, *_values([features.get(name) for name in NAMES]), *_ONE_HOT.get(pattern, _UNKNOWN_PATTERN))


def _values(features: Iterable[object]) -> tuple[float, ...]:
    """The features as the vector holds them: a value that is not a number from -10 to 10 counts as average, 0."""
    return tuple([value if isinstance(value, int | float) and -10.0 <= value <= 10.0 else 0.0 for value in features])
