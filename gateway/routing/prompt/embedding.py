"""A prompt as sixty numbers that say what it is about: the mean of its words' vectors, out of a table that ships with the gateway.

The table comes from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0; `scripts/embedding` makes it), the words are that model's
WordPiece vocabulary. No model runs here: each distinct word is looked up once. A word's numbers are bytes, 128 for 0; with a byte
of room before each they make one large integer, and adding such integers adds sixty numbers at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from gateway.packaged import packaged_file
from gateway.routing.prompt.reading import sampled

DIMENSIONS = 60
_ZERO = 128
# So many numbers of a byte add up to less than two bytes hold.
_AT_ONCE = 256
_LANES = 2 * DIMENSIONS
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
# Looking for a word's pieces takes time quadratic in its length: longer ones are no words, and more than so many no language.
_LONGEST = 24
_MOST_IN_PIECES = 64

# A row of the ledger holds numbers by name: six of the sixty bytes fit exactly into one that JSON and SQLite keep.
_PACKED = 6
NAMES: tuple[str, ...] = tuple(f"e{i}" for i in range(DIMENSIONS // _PACKED))

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Embedding:
    """`places` are the words' rows in `table`, which has DIMENSIONS bytes each."""

    places: Mapping[str, int]
    table: bytes

    def of(self, prompt: str) -> Vector:
        """Numbers from -128 to 127; all 0 for a prompt without a known word."""
        rows = self._rows(_plain(sampled(prompt)))
        if not rows:
            return (0.0,) * DIMENSIONS
        sums = [0] * DIMENSIONS
        for start in range(0, len(rows), _AT_ONCE):
            sums = list(map(int.__add__, sums, self._sum(rows[start : start + _AT_ONCE])))
        return tuple([float(round(total / len(rows)) - _ZERO) for total in sums])

    def _sum(self, rows: Sequence[int]) -> Sequence[int]:
        total = 0
        for row in rows:
            spaced = bytearray(_LANES)
            spaced[::2] = self.table[row * DIMENSIONS : (row + 1) * DIMENSIONS]
            total += int.from_bytes(spaced, "little")
        lanes = total.to_bytes(_LANES, "little")
        return [low + 256 * high for low, high in zip(lanes[::2], lanes[1::2], strict=True)]

    def _rows(self, text: str) -> list[int]:
        """Each distinct word's row, or those of its pieces where it is not known whole."""
        words = dict.fromkeys(_WORD.findall(text))
        rows = [self.places[word] for word in words if word in self.places]
        others = (word for word in words if word not in self.places and len(word) <= _LONGEST)
        for word in islice(others, _MOST_IN_PIECES):
            rows += self._pieces(word)
        return rows

    def _pieces(self, word: str) -> list[int]:
        """WordPiece: the longest known beginning, then the longest known continuation, as far as that leads."""
        rows: list[int] = []
        start = 0
        while start < len(word):
            head = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if head + word[start:end] in self.places), None)
            if end is None:
                break
            rows.append(self.places[head + word[start:end]])
            start = end
        return rows


def _plain(text: str) -> str:
    """Lower case, without accents, as the vocabulary is."""
    lower = text.lower()
    if lower.isascii():
        return lower
    return "".join(each for each in unicodedata.normalize("NFD", lower) if not unicodedata.combining(each))


@cache
def packaged_embedding() -> Embedding:
    """That of the packaged table, read when it is first needed."""
    words = packaged_file("embedding.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return Embedding({word: row for row, word in enumerate(words)}, packaged_file("embedding.bin").read_bytes())


def packed(vector: Vector) -> dict[str, float]:
    """The sixty numbers as ten, by name."""
    octets = bytes([int(value) + _ZERO for value in vector])
    return {name: float(int.from_bytes(octets[i * _PACKED : (i + 1) * _PACKED], "big")) for i, name in enumerate(NAMES)}


def unpacked(features: Mapping[str, float]) -> Vector | None:
    """What `packed` made; None where it is missing or is not that."""
    octets = bytearray()
    for name in NAMES:
        value = features.get(name)
        if not isinstance(value, int | float) or not 0 <= value < 256**_PACKED or value != int(value):
            return None
        octets += int(value).to_bytes(_PACKED, "big")
    return tuple([float(octet - _ZERO) for octet in octets])
