"""Counts what all scores need in one pass over a bounded head and tail of a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.routing.prompt.lexicon import CUES_BY_WORD, SUBSTRINGS, WORDS

# Characters read at each end: at most 32 KB in total in any script, so a huge prompt costs no more than a long one.
END = 4096

# All patterns take linear time. The table is a faster equivalent of `_NO_WORD` for ASCII text.
_SEPARATORS = str.maketrans(dict.fromkeys("!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}~", " "))
_NO_WORD = re.compile(r"[^\w-]+|_+")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CHOICE = re.compile(r"\n(?:[A-D][.)]|\([A-D]\))")
_ITEM = re.compile(r"\n(?:[-*•]|[1-9][.)]) ")


class _Marks(NamedTuple):
    """Marks that are counted together: ASCII characters, ASCII pairs, and marks of other scripts."""

    characters: bytes = b""
    pairs: tuple[bytes, ...] = ()
    others: tuple[str, ...] = ()

    def occurrences(self, sample: str, raw: bytes) -> int:
        """The number of marks in `sample`. `raw` is the sample in UTF-8, where one pass counts all ASCII characters."""
        total = len(raw) - len(raw.translate(None, self.characters))
        total += sum(raw.count(pair) for pair in self.pairs if pair[0] in raw)
        return total if sample.isascii() else total + sum(map(sample.count, self.others))


_DIGITS = _Marks(b"0123456789")
_QUESTIONS = _Marks(b"?", others=("？", "؟"))
_SENTENCE_ENDS = _Marks(pairs=(b". ", b".\n", b"? ", b"?\n", b"! ", b"!\n"), others=("。", "！", "？", "؟", "।"))
_COMMAS = _Marks(b",", others=("，", "、", "،"))
_QUOTES = _Marks(b"\"'", others=("“",))
_MATH_SIGNS = _Marks(b"$\\^=+<>", others=("≤", "≥", "√", "∑", "∫", "π"))
_CODE_SIGNS = _Marks(b"{}[];_", pairs=(b"()", b"==", b"->", b"=>", b"::", b"//"))

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


def text_stats(prompt: str) -> TextStats:
    """Linear in the sample. Any string is accepted, also with lone surrogates."""
    sample = sampled(prompt)
    raw = sample.encode("utf-8", "surrogatepass")
    ascii_only = sample.isascii()
    separated = sample.translate(_SEPARATORS) if ascii_only else _NO_WORD.sub(" ", sample)
    lower = separated.lower().split()
    lengths = list(map(len, lower))
    distinct = set(lower)
    word_count = max(1, len(lower))
    no_digits = ascii_only and not _DIGITS.occurrences(sample, raw)
    numbers = [] if no_digits else [word for word in lower if word.isdigit()]
    unspaced = 0 if ascii_only else len(_UNSPACED.findall(sample))
    size = max(1, len(sample))
    multiline = "\n" in sample
    return TextStats(
        length=len(prompt),
        words=(len(lower) + unspaced / _CHARACTERS_PER_WORD) * max(1.0, len(prompt) / size),
        mean_word_length=sum(lengths) / word_count,
        long_words=len([length for length in lengths if length > _LONG_WORD]) / word_count,
        capitals=sum(map(str.istitle, separated.split())) / word_count,
        variety=len(distinct) / word_count,
        non_ascii=0.0 if ascii_only else 1.0 - len(sample.encode("ascii", "ignore")) / size,
        numbers=len(numbers),
        digits=sum(map(len, numbers)),
        lines=sample.count("\n") + 1,
        questions=_QUESTIONS.occurrences(sample, raw),
        sentences=_SENTENCE_ENDS.occurrences(sample, raw),
        commas=_COMMAS.occurrences(sample, raw),
        quotes=_QUOTES.occurrences(sample, raw),
        choices=len(_CHOICE.findall(sample)) if multiline else 0,
        items=len(_ITEM.findall(sample)) if multiline else 0,
        backslashes=sample.count("\\"),
        math_signs=_MATH_SIGNS.occurrences(sample, raw),
        code_signs=_CODE_SIGNS.occurrences(sample, raw),
        fences=sample.count("```"),
        first_word=lower[0] if lower else "",
        cues=_cues(distinct, sample),
    )


def _cues(distinct: set[str], sample: str) -> dict[str, int]:
    """The number of different words of each cue."""
    cues = dict.fromkeys(WORDS, 0)
    for word in distinct & CUES_BY_WORD.keys():
        for cue in CUES_BY_WORD[word]:
            cues[cue] += 1
    if not sample.isascii():
        for name, parts in SUBSTRINGS.items():
            cues[name] += sum(part in sample for part in parts)
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
