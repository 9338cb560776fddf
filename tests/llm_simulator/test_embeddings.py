"""Simulated vectors: of length 1, the same for the same text, and similar for texts with common words."""

from __future__ import annotations

import math

from llm_simulator.embeddings import embed, embedding_call, normalized


def cosine(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_a_vector_has_its_size_and_length_1() -> None:
    """A vector has the size that was asked for, and length 1."""
    vector = embed("The quick brown fox", size=64, model="m")
    assert len(vector) == 64
    assert math.isclose(cosine(vector, vector), 1)


def test_texts_with_common_words_are_similar() -> None:
    """A text is closer to one with common words than to another one, and a search therefore finds it."""
    query, near, far = (
        embed(text, size=512, model="m") for text in ("a red car", "the red car", "stock prices fell sharply")
    )
    assert cosine(query, near) > 0.5 > cosine(query, far)


def test_models_have_vectors_of_their_own() -> None:
    """The same text has another vector in another model."""
    assert embed("text", size=64, model="a") != embed("text", size=64, model="b")


def test_a_vector_of_zeros_gets_a_direction() -> None:
    """A text whose words cancel each other still has a vector of length 1."""
    assert normalized([0.0, 0.0]) == [1.0, 0.0]


def test_tokens_are_those_of_all_texts() -> None:
    """A request's tokens are the sum of its texts', unless the client sent token ids."""
    assert embedding_call(["12345678", "1"], "m").tokens.total == 3
    assert embedding_call(["1 2 3"], "m", tokens=9).tokens.total == 9
