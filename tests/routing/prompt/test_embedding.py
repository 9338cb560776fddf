from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.prompt.embedding import (
    DIMENSIONS,
    NAMES,
    RECENT,
    Embedding,
    Vector,
    numbers,
    packaged_embedding,
    packed,
    unpacked,
)
from gateway.routing.prompt.text_stats import Sample

WORDS = ("good", "bad", "##ness", "!")


def small() -> Embedding:
    """A table in which the first word is all 1, the second all 2, and so on."""
    table = b"".join(bytes([128 + value] * DIMENSIONS) for value in (1, 2, 30, 4))
    return Embedding(WORDS, table)


def cosine(one: Vector, other: Vector) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return float(dot / (sum(a * a for a in one) * sum(b * b for b in other)) ** 0.5)


@pytest.mark.parametrize(
    ("prompt", "value"),
    [
        ("Good", 1.0),
        ("good bad bad bad", 2.0),  # the mean of 1 and 2, to the even one
        ("goodness", 16.0),
        ("goodx", 1.0),
        ("bad!", 3.0),
        ("bad-good", 2.0),
        ("good-good bad", 2.0),
        ("good good-bad", 2.0),
        ("gôod", 1.0),
        ("x" * 24, 0.0),
        ("good" * 7, 0.0),
        ("", 0.0),
        ("\ud800", 0.0),
    ],
    ids=[
        "case",
        "distinct",
        "pieces",
        "as far as known",
        "marks",
        "hyphens",
        "distinct parts",
        "parts that are words",
        "accents",
        "unknown",
        "too long",
        "none",
        "surrogate",
    ],
)
def test_a_prompt_is_the_mean_of_its_words(prompt: str, value: float) -> None:
    """Of the distinct ones, in pieces where a word is not known whole, and of nothing else."""
    assert numbers(small().of(Sample(prompt))) == (value,) * DIMENSIONS


@given(st.text(st.characters(codec="ascii")))
def test_scripts_are_read_alike(prompt: str) -> None:
    """A text in plain ASCII has the same words as it has beside a character that is no word of any script."""
    embedding = packaged_embedding()

    assert embedding.of(Sample(prompt)) == embedding.of(Sample(f"{prompt} \ue000"))


def test_equal_bytes_are_no_equal_words() -> None:
    """The cache of split words tells a word from one of another script with the same bytes, which has the same hash."""
    embedding = Embedding(("a", "b", "##b"), bytes([130] * 3 * DIMENSIONS))
    assert hash("ab") == hash("\u6261")

    assert numbers(embedding.of(Sample("ab"))) == (2.0,) * DIMENSIONS
    assert numbers(embedding.of(Sample("\u6261"))) == (0.0,) * DIMENSIONS


def test_split_words_are_kept_to_a_bound() -> None:
    """More new words than the cache holds are split correctly and leave the cache within its bound; it holds no text."""
    embedding = packaged_embedding()
    for start in range(0, 2 * RECENT, 50):
        embedding.of(Sample(" ".join(f"zq{number}xw" for number in range(start, start + 50))))

    assert 0 < len(embedding._recent) <= RECENT
    assert not any(isinstance(key, str) for key in embedding._recent)
    assert embedding.of(Sample("zq1xw")) == Embedding.of(packaged_embedding.__wrapped__(), Sample("zq1xw"))


def test_many_words_do_not_overflow() -> None:
    """A thousand words of the largest numbers have these numbers as their mean."""
    words = [f"w{i}" for i in range(1000)]
    full = Embedding(words, bytes([255] * DIMENSIONS * 1000))

    assert numbers(full.of(Sample(" ".join(words)))) == (127.0,) * DIMENSIONS


def test_what_is_alike_lies_near() -> None:
    """The packaged table puts arithmetic beside arithmetic, not beside history."""
    of = packaged_embedding().of
    sum_, product, war = map(
        numbers,
        (
            of(Sample("Add the numbers 4 and 5")),
            of(Sample("Multiply 7 by 12")),
            of(Sample("Why did the Roman empire fall to invaders?")),
        ),
    )

    assert cosine(sum_, product) > cosine(sum_, war) + 0.1


def test_table_has_a_row_for_each_word() -> None:
    """The two packaged files belong together, and files that do not are no table."""
    assert len(packaged_embedding()) > 20_000
    with pytest.raises(ValueError, match="shorter"):
        Embedding(["one", "more"], bytes(DIMENSIONS))


def test_packing_loses_nothing() -> None:
    """Ten numbers hold the sixty, exactly, negative ones too."""
    octets = bytes(range(98, 158))

    assert set(packed(octets)) == set(NAMES)
    assert unpacked(packed(octets)) == numbers(octets)


@pytest.mark.parametrize("value", [None, "1", -1.0, 0.5, 2.0**48, float("nan")])
def test_what_was_not_packed_is_not_unpacked(value: object) -> None:
    """A row without the embedding, or with something else in its place, has none."""
    features: dict[str, object] = {**packed(bytes(DIMENSIONS)), "e3": value}

    assert unpacked(features) is None  # type: ignore[arg-type]  # what old or foreign rows may hold
    assert unpacked({}) is None
