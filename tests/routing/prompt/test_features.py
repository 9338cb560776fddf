from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prompt.features import (
    NAMES,
    SIZE,
    RecentPrompts,
    cached_prompt_facts,
    extract,
    prompt_facts,
    vector_of,
)
from gateway.routing.types import RoutingContext


@given(st.text(st.characters(), max_size=300))
def test_features_are_numbers_of_moderate_size(prompt: str) -> None:
    """No text makes a feature that could unbalance what is learned."""
    facts = prompt_facts(prompt)

    assert len(facts.vector) == SIZE
    assert all(math.isfinite(value) and abs(value) < 12 for value in facts.vector)
    assert not any(isinstance(value, str) for value in facts.features.values())


def test_vector_comes_back_from_stored_features() -> None:
    """Pattern and stored features are enough to learn from later: the vector is the same."""
    facts = prompt_facts("Explain how HTTP works")

    assert vector_of(facts.pattern, facts.features) == facts.vector


def test_unusable_stored_features_count_as_typical() -> None:
    """Missing, absurd and foreign values are read as 0, the middle."""
    vector = vector_of("code", {NAMES[0]: math.nan, NAMES[1]: 1e9, "unknown": 3.0})

    assert set(vector[1 : 1 + len(NAMES)]) == {0.0}


def test_request_is_part_of_the_features() -> None:
    """Tools, schemas, media, turns and the rest of a conversation are seen beside the prompt."""
    needs = frozenset({"tools", "json_schema", "vision"})
    context = RoutingContext("Hi", needs=needs, turns=5, prompt_tokens=20_000)

    features = prompt_facts("Hi", context).features

    assert features["tools"] == features["schema"] == features["media"] == 1.0
    assert features["turns"] > 0
    assert features["history"] > 0
    assert features["tokens"] == 20_000


def test_bare_context_changes_nothing() -> None:
    """A labelled prompt and the same prompt routed read the same."""
    assert prompt_facts("Explain TCP", RoutingContext("Explain TCP")) == prompt_facts("Explain TCP")


def test_known_facts_are_used_for_their_own_prompt_only() -> None:
    """Facts that came with a context are not taken for another prompt."""
    context = RoutingContext("Hello", facts=prompt_facts("Hello"))

    assert cached_prompt_facts("Hello", context) is context.facts
    assert cached_prompt_facts("Explain TCP", context).pattern == "explanation"


@given(st.text(st.characters(), max_size=200))
def test_cached_features_equal_extracted_ones(prompt: str) -> None:
    """The cache returns what `extract` returns, so the facts of any request are the same."""
    recent = RecentPrompts(secret=b"secret")
    context = RoutingContext(prompt, prompt_tokens=5000, turns=3, needs=frozenset({"tools"}))
    for _ in range(2):
        assert prompt_facts(prompt, context, extracted=recent.extract(prompt)) == prompt_facts(prompt, context)


def test_features_of_a_recent_prompt_are_extracted_once() -> None:
    """A repeated prompt comes from the cache; a different one does not, and a very long one is never cached."""
    recent = RecentPrompts(secret=b"secret")
    assert recent.extract("Explain HTTP") is recent.extract("Explain HTTP")
    assert recent.extract("Explain TCP") is not recent.extract("Explain HTTP")
    huge = "word " * 10_000
    assert recent.extract(huge) == recent.extract(huge)
    assert recent.extract(huge)._replace(digest=None) == extract(huge)
    assert recent.extract(huge) is not recent.extract(huge)


def test_cache_evicts_the_least_recently_used_prompt() -> None:
    """The cache holds `capacity` prompts, and a hit makes a prompt the newest."""
    recent = RecentPrompts(secret=b"secret", capacity=2)
    first, second = recent.extract("one"), recent.extract("two")
    assert recent.extract("one") is first
    recent.extract("three")
    assert recent.extract("one") is first
    assert recent.extract("two") is not second


def test_cache_keeps_no_prompt_text() -> None:
    """The text of a prompt does not appear anywhere in the cache."""
    recent = RecentPrompts(secret=b"secret")
    recent.extract("my very secret prompt")
    assert "secret prompt" not in repr(vars(recent))


def test_length_is_limited_to_what_the_vector_holds() -> None:
    """The stored length of an enormous prompt is 10, the most that is read back as it is."""
    facts = prompt_facts("x" * 40_000_000)

    assert facts.features["length"] == 10.0
    assert vector_of(facts.pattern, facts.features) == facts.vector
