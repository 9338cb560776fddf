"""Reads a prompt once, at most a bounded head and tail of it, into the counts that every score is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.routing.prompt.lexicon import MEANINGS, PARTS, WORDS

# Characters read at each end: together 32 KB at most, whatever the script, so that a huge prompt costs no more than a long one.
END = 4096

# All of these are linear in the text; the table does for plain ASCII what the class does for every script, sooner.
_APART = str.maketrans(dict.fromkeys("!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}~", " "))
_NO_WORD = re.compile(r"[^\w-]+|_+")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CHOICE = re.compile(r"\n(?:[A-D][.)]|\([A-D]\))")
_ITEM = re.compile(r"\n(?:[-*•]|[1-9][.)]) ")


class _Marks(NamedTuple):
    """What is counted together: ASCII characters, ASCII pairs, and marks of other scripts."""

    characters: bytes = b""
    pairs: tuple[bytes, ...] = ()
    others: tuple[str, ...] = ()

    def within(self, sample: str, raw: bytes) -> int:
        """In a sample, which is also given as UTF-8: there one pass counts any number of ASCII characters."""
        found = len(raw) - len(raw.translate(None, self.characters))
        found += sum(raw.count(pair) for pair in self.pairs if pair[0] in raw)
        return found if sample.isascii() else found + sum(map(sample.count, self.others))


_DIGITS = _Marks(b"0123456789")
_QUESTIONS = _Marks(b"?", others=("？", "؟"))
_SENTENCE_ENDS = _Marks(pairs=(b". ", b".\n", b"? ", b"?\n", b"! ", b"!\n"), others=("。", "！", "？", "؟", "।"))
_COMMAS = _Marks(b",", others=("，", "、", "،"))
_QUOTES = _Marks(b"\"'", others=("“",))
_MATH_SIGNS = _Marks(b"$\\^=+<>", others=("≤", "≥", "√", "∑", "∫", "π"))
_CODE_SIGNS = _Marks(b"{}[];_", pairs=(b"()", b"==", b"->", b"=>", b"::", b"//"))

# Unspaced scripts take about this many characters to say what a word says.
_CHARACTERS_A_WORD = 2.0
_LONG = 7


class TextStats(NamedTuple):
    """What stands in one prompt. Counts are of the sample, except `length` (characters) and `words` of the whole."""

    length: int
    words: float
    letters_a_word: float
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
    """The head and the tail of the prompt, or all of it where it is short."""
    if len(prompt) <= 2 * END:
        return prompt
    return f"{prompt[:END]}\n{prompt[-END:]}"


def text_stats(prompt: str) -> TextStats:
    """Linear in the sample; any string will do, lone surrogates included."""
    sample = sampled(prompt)
    raw = sample.encode("utf-8", "surrogatepass")
    ascii_only = sample.isascii()
    apart = sample.translate(_APART) if ascii_only else _NO_WORD.sub(" ", sample)
    lower = apart.lower().split()
    lengths = list(map(len, lower))
    distinct = set(lower)
    spoken = max(1, len(lower))
    numberless = ascii_only and not _DIGITS.within(sample, raw)
    numbers = [] if numberless else [word for word in lower if word.isdigit()]
    unspaced = 0 if ascii_only else len(_UNSPACED.findall(sample))
    size = max(1, len(sample))
    in_lines = "\n" in sample
    return TextStats(
        length=len(prompt),
        words=(len(lower) + unspaced / _CHARACTERS_A_WORD) * max(1.0, len(prompt) / size),
        letters_a_word=sum(lengths) / spoken,
        long_words=len([length for length in lengths if length > _LONG]) / spoken,
        capitals=sum(map(str.istitle, apart.split())) / spoken,
        variety=len(distinct) / spoken,
        non_ascii=0.0 if ascii_only else 1.0 - len(sample.encode("ascii", "ignore")) / size,
        numbers=len(numbers),
        digits=sum(map(len, numbers)),
        lines=sample.count("\n") + 1,
        questions=_QUESTIONS.within(sample, raw),
        sentences=_SENTENCE_ENDS.within(sample, raw),
        commas=_COMMAS.within(sample, raw),
        quotes=_QUOTES.within(sample, raw),
        choices=len(_CHOICE.findall(sample)) if in_lines else 0,
        items=len(_ITEM.findall(sample)) if in_lines else 0,
        backslashes=sample.count("\\"),
        math_signs=_MATH_SIGNS.within(sample, raw),
        code_signs=_CODE_SIGNS.within(sample, raw),
        fences=sample.count("```"),
        first_word=lower[0] if lower else "",
        cues=_cues(distinct, sample),
    )


def _cues(distinct: set[str], sample: str) -> dict[str, int]:
    """How many different words of each kind the text holds."""
    cues = dict.fromkeys(WORDS, 0)
    for word in distinct & MEANINGS.keys():
        for cue in MEANINGS[word]:
            cues[cue] += 1
    if not sample.isascii():
        for name, parts in PARTS.items():
            cues[name] += sum(part in sample for part in parts)
    return cues


def tokens_of(text: str) -> int:
    """About how many tokens a text is, from its length and the script of its head and tail."""
    if not text:
        return 0
    if text.isascii():
        return len(text) // 4 + 1
    ends = text if len(text) <= 1024 else text[:512] + text[-512:]
    plain = sum(character < "\x80" for character in ends) / len(ends)
    return int(len(text) * (plain / 4 + (1 - plain) / 1.5)) + 1
