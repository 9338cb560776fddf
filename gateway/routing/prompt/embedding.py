"""Static prompt embedding of 60 dimensions: the mean of the vectors of the prompt's distinct words, from a packaged table.

The table is derived from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) by `scripts/embedding`; its words are that model's WordPiece
vocabulary. No model runs here. A component is one byte with an offset of 128. For speed, each word vector is stored as one large integer
with 16 bits per component: adding two such integers adds all 60 components at once (SIMD within a register).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, filterfalse, islice, repeat
from operator import add, truediv
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
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}
# Splitting a word into pieces takes quadratic time, so longer words are ignored, and of the unknown ones all after the first 64.
_MAX_WORD_LENGTH = 24
_MAX_SPLIT_WORDS = 64
RECENT = 4096  # words whose pieces are kept

# The ledger stores features as named numbers. Six bytes fit exactly into one double, so 60 bytes take ten numbers.
_BYTES_PER_NUMBER = 6
_NUMBERS = f">{'HI' * (DIMENSIONS // _BYTES_PER_NUMBER)}"
_LIMIT = 256**_BYTES_PER_NUMBER
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
        self._recent: dict[int, tuple[int, ...]] = {}
        self._marks = tuple((mark, self._words[mark]) for mark in punctuation if mark in self._words)

    def __len__(self) -> int:
        return len(self._words) + len(self._continuations)

    def of(self, sample: Sample) -> bytes:
        """One byte per component, with an offset of 128; all components 0 for a prompt without a known word."""
        rows = self._rows(sample)
        if not rows:
            return _ZERO_VECTOR
        sums: Sequence[int] = _sums(rows[:_BATCH])
        for start in range(_BATCH, len(rows), _BATCH):
            sums = list(map(add, sums, _sums(rows[start : start + _BATCH])))
        return bytes(map(round, map(truediv, sums, repeat(len(rows)))))

    def _rows(self, sample: Sample) -> list[int]:
        """The vectors of the sample's words and marks, each once. A word that is not in the vocabulary has those of its parts."""
        vocabulary, plain = self._words, sample.text if sample.is_ascii else _plain(sample.text)
        words = sample.distinct if sample.is_ascii else dict.fromkeys(_words(plain))
        rows = list(filter(None, map(vocabulary.get, words)))
        if len(rows) < len(words):
            parts: Collection[str] = list(filterfalse(vocabulary.__contains__, words))
            if sample.is_ascii:  # these words may have hyphens
                parts = dict.fromkeys(" ".join(parts).translate(_SEPARATORS).split())
            rows += [vocabulary[part] for part in parts if part in vocabulary and part not in words]
            unknown = (part for part in parts if part not in vocabulary and len(part) <= _MAX_WORD_LENGTH)
            rows += chain.from_iterable(map(self._pieces, islice(unknown, _MAX_SPLIT_WORDS)))
        return rows + [row for mark, row in self._marks if mark in plain and mark not in words]

    def _pieces(self, word: str) -> Sequence[int]:
        """The vectors of the pieces of a word, from the cache where possible. Its key is Python's hash, so no text is kept.

        The length is part of it because strings of different widths but equal bytes have the same hash: "ab" and U+6261.
        """
        key = hash((word, len(word)))
        pieces = self._recent.get(key)
        if pieces is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            pieces = self._recent[key] = tuple(self._split(word))
        return pieces

    def _split(self, word: str) -> Iterator[int]:
        """WordPiece tokenization: repeatedly the longest piece in the vocabulary, until none matches (Wu et al., 2016)."""
        rest, vocabulary = word, self._words
        while rest:
            end = len(rest)
            while end and rest[:end] not in vocabulary:
                end -= 1
            if not end:
                return
            yield vocabulary[rest[:end]]
            rest, vocabulary = rest[end:], self._continuations


def _sums(rows: Sequence[int]) -> tuple[int, ...]:
    """The sums of at most _BATCH vectors, component by component."""
    return unpack(_SUMS, sum(rows).to_bytes(_ROW_BYTES, "little"))


def _words(plain: str) -> list[str]:
    """The words; in other scripts than ASCII each mark too."""
    return plain.translate(_SEPARATORS).split() if plain.isascii() else _WORD.findall(plain)


def _plain(text: str) -> str:
    """Lower case without accents, like the vocabulary."""
    lower = text.lower()
    return lower if lower.isascii() else _NON_ASCII.sub(_without_accents, unicodedata.normalize("NFD", lower))


def _without_accents(characters: re.Match[str]) -> str:
    return "".join(filterfalse(unicodedata.combining, characters[0]))


@cache
def packaged_embedding() -> Embedding:
    """The embedding with the packaged table, loaded at first use."""
    words = packaged_file("embedding.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return Embedding(words, packaged_file("embedding.bin").read_bytes())


def packed(octets: bytes) -> dict[str, float]:
    """The 60 bytes as ten named numbers."""
    halves = unpack(_NUMBERS, octets)
    values = [high * 2.0**32 + low for high, low in zip(halves[::2], halves[1::2], strict=True)]
    return dict(zip(NAMES, values, strict=True))


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
    if integers != values or min(integers) < 0 or max(integers) >= _LIMIT:
        return None
    return b"".join([integer.to_bytes(_BYTES_PER_NUMBER, "big") for integer in integers])
