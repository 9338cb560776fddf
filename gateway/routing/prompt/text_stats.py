"""Counts what all scores need in one pass over a bounded head and tail of a prompt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import compress
from operator import mul
from typing import NamedTuple

from gateway.routing.prompt.lexicon import CUES_BY_WORD, SUBSTRINGS, WORDS

# Characters read at each end, so that a huge prompt costs no more than one of 1,000 tokens. docs/routing.md has the measurements.
END = 2000

# The characters between words in ASCII text, as spaces.
_SEPARATED = bytes(32 if chr(octet) in "!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}~" else octet for octet in range(256))
# All patterns take linear time. Underscores separate words too: they are replaced by spaces first.
_WORD = re.compile(r"[\w-]+")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CHOICE = re.compile(r"\n(?:[A-D][.)]|\([A-D]\))")
_ITEM = re.compile(r"\n(?:[-*•]|[1-9][.)]) ")


class _Marks(NamedTuple):
    """Marks that are counted together: ASCII characters, ASCII pairs, and marks of other scripts."""

    characters: bytes = b""
    pairs: tuple[bytes, ...] = ()
    others: tuple[str, ...] = ()

    def occurrences(self, sample: Sample) -> int:
        """The number of marks in the sample. One pass over its marks counts all ASCII characters."""
        marks = sample.marks
        total = len(marks) - len(marks.translate(None, self.characters)) if self.characters else 0
        total += sum(sample.raw.count(pair) for pair in self.pairs if pair[0] in marks)
        return total if sample.is_ascii else total + sum(map(sample.text.count, self.others))


_QUESTIONS = _Marks(b"?", others=("？", "؟"))
_SENTENCE_ENDS = _Marks(pairs=(b". ", b".\n", b"? ", b"?\n", b"! ", b"!\n"), others=("。", "！", "？", "؟", "।"))
_COMMAS = _Marks(b",", others=("，", "、", "،"))
_QUOTES = _Marks(b"\"'", others=("“",))
_MATH_SIGNS = _Marks(b"$\\^=+<>", others=("≤", "≥", "√", "∑", "∫", "π"))
_CODE_SIGNS = _Marks(b"{}[];_", pairs=(b"()", b"==", b"->", b"=>", b"::", b"//"))

_COUNTED = (_QUESTIONS, _SENTENCE_ENDS, _COMMAS, _QUOTES, _MATH_SIGNS, _CODE_SIGNS)
_ASCII_MARKS = b"".join([each.characters + b"".join(pair[:1] for pair in each.pairs) for each in _COUNTED])
_NO_MARK = bytes(set(range(256)) - set(_ASCII_MARKS))

# Characters per word in scripts without spaces.
_CHARACTERS_PER_WORD = 2.0
_LONG_WORD = 7


class TextStats(NamedTuple):
    """Counts and shares for one prompt. They cover the sample, except `length` (characters) and `words`, which cover the whole."""

    length: int
    words: float
    mean_word_length: float
    long_words: float
    capitals: float
    variety: float
    non_ascii: float
    numbers: int
    digits: int
    lines: int
    questions: int
    sentences: int
    commas: int
    quotes: int
    choices: int
    items: int
    backslashes: int
    math_signs: int
    code_signs: int
    fences: int
    first_word: str
    cues: Mapping[str, int]


def sampled(prompt: str) -> str:
    """The head and the tail of the prompt; the whole prompt if it is short."""
    if len(prompt) <= 2 * END:
        return prompt
    return f"{prompt[:END]}\n{prompt[-END:]}"


class Sample:
    """The part of a prompt that is read, and what several readers need of it.

    `raw` is `text` in UTF-8, `marks` its ASCII marks in order. `words` counts the words as written, in order of appearance,
    `lower` has each of them in lower case, and `distinct` those without repetition.
    """

    __slots__ = ("distinct", "is_ascii", "length", "lower", "marks", "raw", "text", "words")

    def __init__(self, prompt: str) -> None:
        """Linear in the sample. Any string is accepted, also with lone surrogates."""
        self.length = len(prompt)
        self.text = sampled(prompt)
        self.is_ascii = self.text.isascii()
        self.raw = self.text.encode("utf-8", "surrogatepass")
        self.marks = self.raw.translate(None, _NO_MARK)
        if self.is_ascii:
            self.words = Counter(self.raw.translate(_SEPARATED).decode("ascii").split())
        else:
            self.words = Counter(_WORD.findall(self.text.replace("_", " ")))
        self.lower = list(map(str.lower, self.words))
        self.distinct = dict.fromkeys(self.lower)


def text_stats(prompt: str) -> TextStats:
    return stats_of(Sample(prompt))


def stats_of(sample: Sample) -> TextStats:
    """Linear in the sample. Words that occur several times are looked at once."""
    text, words, total = sample.text, sample.words, sample.words.total()
    sizes, counts = list(map(len, sample.lower)), words.values()
    numbers = list(filter(str.isdigit, words))
    unspaced = 0 if sample.is_ascii else len(_UNSPACED.findall(text))
    word_count, characters = max(1, total), max(1, len(text))
    multiline = "\n" in text
    return TextStats(
        length=sample.length,
        words=(total + unspaced / _CHARACTERS_PER_WORD) * max(1.0, sample.length / characters),
        mean_word_length=sum(map(mul, sizes, counts)) / word_count,
        long_words=sum([count for size, count in zip(sizes, counts, strict=True) if size > _LONG_WORD]) / word_count,
        capitals=sum(compress(counts, map(str.istitle, words))) / word_count,
        variety=len(sample.distinct) / word_count,
        non_ascii=0.0 if sample.is_ascii else 1.0 - len(text.encode("ascii", "ignore")) / characters,
        numbers=sum([words[number] for number in numbers]),
        digits=sum([len(number) * words[number] for number in numbers]),
        lines=text.count("\n") + 1,
        questions=_QUESTIONS.occurrences(sample),
        sentences=_SENTENCE_ENDS.occurrences(sample),
        commas=_COMMAS.occurrences(sample),
        quotes=_QUOTES.occurrences(sample),
        choices=len(_CHOICE.findall(text)) if multiline else 0,
        items=len(_ITEM.findall(text)) if multiline else 0,
        backslashes=text.count("\\"),
        math_signs=_MATH_SIGNS.occurrences(sample),
        code_signs=_CODE_SIGNS.occurrences(sample),
        fences=text.count("```"),
        first_word=next(iter(sample.lower), ""),
        cues=_cues(sample),
    )


def _cues(sample: Sample) -> dict[str, int]:
    """The number of different words of each cue."""
    cues = dict.fromkeys(WORDS, 0)
    for word in sample.distinct.keys() & CUES_BY_WORD.keys():
        for cue in CUES_BY_WORD[word]:
            cues[cue] += 1
    if not sample.is_ascii:
        for name, parts in SUBSTRINGS.items():
            cues[name] += sum(part in sample.text for part in parts)
    return cues


def tokens_of(text: str) -> int:
    """An estimate of the size in tokens, from the length and the script of head and tail."""
    if not text:
        return 0
    if text.isascii():
        return len(text) // 4 + 1
    ends = text if len(text) <= 1024 else text[:512] + text[-512:]
    ascii_share = sum(character < "\x80" for character in ends) / len(ends)
    return int(len(text) * (ascii_share / 4 + (1 - ascii_share) / 1.5)) + 1
