"""Static prompt embedding of 60 dimensions: the mean of the vectors of the prompt's distinct words, from a packaged table.

The table is derived from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) by `scripts/embedding`; its words are that model's WordPiece
vocabulary. No model runs here. A component is one byte with an offset of 128. For speed, each word vector is stored as one large integer
with 16 bits per component: adding two such integers adds all 60 components at once (SIMD within a register).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import islice
from operator import add
from string import punctuation
from struct import unpack

from gateway.catalog.packaged import packaged_file
from gateway.routing.prompt.text_stats import Sample

DIMENSIONS = 60
_OFFSET = 128
# The sum of this many bytes fits into 16 bits.
_BATCH = 256
_ROW_BYTES = 2 * DIMENSIONS
_SUMS = f"<{DIMENSIONS}H"
_ZERO_VECTOR = bytes([_OFFSET]) * DIMENSIONS
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}
# Splitting a word into pieces takes quadratic time, so longer words are ignored, and of the unknown ones all after the first 64.
_MAX_WORD_LENGTH = 24
_MAX_SPLIT_WORDS = 64

# The ledger stores features as named numbers. Six bytes fit exactly into one double, so 60 bytes take ten numbers.
_BYTES_PER_NUMBER = 6
_NUMBERS = 256**_BYTES_PER_NUMBER
NAMES: tuple[str, ...] = tuple(f"e{i}" for i in range(DIMENSIONS // _BYTES_PER_NUMBER))

Vector = tuple[float, ...]


class Embedding:
    """`table` has DIMENSIONS bytes for each of `words`, in order. The prefix `##` marks pieces that continue a word."""

    def __init__(self, words: Iterable[str], table: bytes) -> None:
        padded = bytearray(2 * len(table))
        padded[::2] = table
        rows = (padded[start : start + _ROW_BYTES] for start in range(0, len(padded), _ROW_BYTES))
        self._words: dict[str, int] = {}
        self._continuations: dict[str, int] = {}
        for word, row in zip(words, rows, strict=True):
            vocabulary, name = (self._continuations, word[2:]) if word.startswith("##") else (self._words, word)
            vocabulary[name] = int.from_bytes(row, "little")

    def __len__(self) -> int:
        return len(self._words) + len(self._continuations)

    def of(self, sample: Sample) -> bytes:
        """One byte per component, with an offset of 128; all components 0 for a prompt without a known word."""
        rows = self._rows(dict.fromkeys(_words(sample)))
        if not rows:
            return _ZERO_VECTOR
        sums = [0] * DIMENSIONS
        for start in range(0, len(rows), _BATCH):
            packed_sum = sum(rows[start : start + _BATCH]).to_bytes(_ROW_BYTES, "little")
            sums = list(map(add, sums, unpack(_SUMS, packed_sum)))
        count = len(rows)
        return bytes([round(component / count) for component in sums])

    def _rows(self, words: Collection[str]) -> list[int]:
        """The vector of each word, or those of its pieces if the word is not in the vocabulary."""
        vocabulary = self._words
        rows = [vocabulary[word] for word in words if word in vocabulary]
        if len(rows) < len(words):
            unknown = (word for word in words if word not in vocabulary and len(word) <= _MAX_WORD_LENGTH)
            for word in islice(unknown, _MAX_SPLIT_WORDS):
                rows += self._pieces(word)
        return rows

    def _pieces(self, word: str) -> list[int]:
        """WordPiece tokenization: repeatedly the longest piece in the vocabulary, until none matches (Wu et al., 2016)."""
        rows: list[int] = []
        rest, vocabulary = word, self._words
        while rest:
            end = len(rest)
            while end and rest[:end] not in vocabulary:
                end -= 1
            if not end:
                break
            rows.append(vocabulary[rest[:end]])
            rest, vocabulary = rest[end:], self._continuations
        return rows


def _words(sample: Sample) -> list[str]:
    """The words and each punctuation mark at least once. ASCII text is split by translation, which is faster than the pattern."""
    plain = sample.text if sample.is_ascii else _plain(sample.text)
    if not plain.isascii():
        return _WORD.findall(plain)
    words = " ".join(sample.distinct) if sample.is_ascii else plain
    return [*words.translate(_SEPARATORS).split(), *[mark for mark in punctuation if mark in plain]]


def _plain(text: str) -> str:
    """Lower case without accents, like the vocabulary."""
    lower = text.lower()
    if lower.isascii():
        return lower
    return "".join(
        character for character in unicodedata.normalize("NFD", lower) if not unicodedata.combining(character)
    )


@cache
def packaged_embedding() -> Embedding:
    """The embedding with the packaged table, loaded at first use."""
    words = packaged_file("embedding.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return Embedding(words, packaged_file("embedding.bin").read_bytes())


def packed(octets: bytes) -> dict[str, float]:
    """The 60 bytes as ten named numbers."""
    return {
        name: float(int.from_bytes(octets[i * _BYTES_PER_NUMBER : (i + 1) * _BYTES_PER_NUMBER], "big"))
        for i, name in enumerate(NAMES)
    }


def numbers(octets: bytes) -> Vector:
    """The components, from -128 to 127."""
    return tuple([float(octet - _OFFSET) for octet in octets])


def unpacked(features: Mapping[str, float]) -> Vector | None:
    """The components from the numbers of `packed`; None if one is missing or invalid."""
    octets = unpacked_bytes(features)
    return None if octets is None else numbers(octets)


def unpacked_bytes(features: Mapping[str, float]) -> bytes | None:
    """The 60 bytes from the numbers of `packed`, each component with an offset of 128; None if one is missing or invalid."""
    values = list(map(features.get, NAMES))
    try:
        integers = [int(value) for value in values]  # type: ignore[arg-type]  # what is no number is caught
    except (TypeError, ValueError, OverflowError):
        return None
    if integers != values or min(integers) < 0 or max(integers) >= _NUMBERS:
        return None
    return b"".join([integer.to_bytes(_BYTES_PER_NUMBER, "big") for integer in integers])
