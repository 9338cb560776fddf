"""A prompt as sixty numbers that say what it is about: the mean of its words' vectors, out of a table that ships with the gateway.

The table comes from sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0; `scripts/embedding` makes it), the words are that model's
WordPiece vocabulary. No model runs here: each distinct word is looked up once. A word's numbers are bytes, 128 for 0; with a byte
of room for each they make one large integer, and adding such integers adds sixty numbers at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from operator import add
from string import punctuation
from struct import unpack

from gateway.catalog.packaged import packaged_file
from gateway.routing.prompt.text_stats import sampled

DIMENSIONS = 60
_ZERO = 128
# So many numbers of a byte add up to less than two bytes hold.
_AT_ONCE = 256
_LANES = 2 * DIMENSIONS
_SUMS = f"<{DIMENSIONS}H"
_NOTHING = bytes([_ZERO]) * DIMENSIONS
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_APART = {code: " " for code in range(128) if not chr(code).isalnum()}
# Looking for a word's pieces takes time quadratic in its length: longer ones are no words, and more than so many no language.
_LONGEST = 24
_MOST_IN_PIECES = 64

# A row of the ledger holds numbers by name: six of the sixty bytes fit exactly into one that JSON and SQLite keep.
_PACKED = 6
NAMES: tuple[str, ...] = tuple(f"e{i}" for i in range(DIMENSIONS // _PACKED))

Vector = tuple[float, ...]


class Embedding:
    """`words` in the order of their rows in `table`, which has DIMENSIONS bytes each; `##` stands before those that go on a word."""

    def __init__(self, words: Iterable[str], table: bytes) -> None:
        spaced = bytearray(2 * len(table))
        spaced[::2] = table
        rows = (spaced[start : start + _LANES] for start in range(0, len(spaced), _LANES))
        self._words: dict[str, int] = {}
        self._endings: dict[str, int] = {}
        for word, row in zip(words, rows, strict=True):
            known, name = (self._endings, word[2:]) if word.startswith("##") else (self._words, word)
            known[name] = int.from_bytes(row, "little")

    def __len__(self) -> int:
        return len(self._words) + len(self._endings)

    def of(self, prompt: str) -> bytes:
        """A number a byte, 128 for 0; all 0 for a prompt without a known word."""
        rows = self._rows(_plain(sampled(prompt)))
        if not rows:
            return _NOTHING
        sums = [0] * DIMENSIONS
        for start in range(0, len(rows), _AT_ONCE):
            lanes = sum(rows[start : start + _AT_ONCE]).to_bytes(_LANES, "little")
            sums = list(map(add, sums, unpack(_SUMS, lanes)))
        count = len(rows)
        return bytes([round(total / count) for total in sums])

    def _rows(self, text: str) -> list[int]:
        """Each distinct word's numbers, or those of its pieces where it is not known whole."""
        words, known = dict.fromkeys(_words(text)), self._words
        rows = [known[word] for word in words if word in known]
        if len(rows) < len(words):
            others = (word for word in words if word not in known and len(word) <= _LONGEST)
            for word in islice(others, _MOST_IN_PIECES):
                rows += self._pieces(word)
        return rows

    def _pieces(self, word: str) -> list[int]:
        """WordPiece: the longest known beginning, then the longest known continuation, as far as that leads."""
        rows: list[int] = []
        rest, known = word, self._words
        while rest:
            end = len(rest)
            while end and rest[:end] not in known:
                end -= 1
            if not end:
                break
            rows.append(known[rest[:end]])
            rest, known = rest[end:], self._endings
        return rows


def _words(text: str) -> list[str]:
    """Its words, and each of its marks at least once. Plain ASCII is taken apart without looking at each character in turn."""
    if not text.isascii():
        return _WORD.findall(text)
    return [*text.translate(_APART).split(), *[mark for mark in punctuation if mark in text]]


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
    return Embedding(words, packaged_file("embedding.bin").read_bytes())


def packed(octets: bytes) -> dict[str, float]:
    """The sixty numbers as ten, by name."""
    return {name: float(int.from_bytes(octets[i * _PACKED : (i + 1) * _PACKED], "big")) for i, name in enumerate(NAMES)}


def numbers(octets: bytes) -> Vector:
    """From -128 to 127."""
    return tuple([float(octet - _ZERO) for octet in octets])


def unpacked(features: Mapping[str, float]) -> Vector | None:
    """What `packed` made; None where it is missing or is not that."""
    octets = b""
    for name in NAMES:
        value = features.get(name)
        if not isinstance(value, int | float) or not 0 <= value < 256**_PACKED or value != int(value):
            return None
        octets += int(value).to_bytes(_PACKED, "big")
    return numbers(octets)
