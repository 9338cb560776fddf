"""Reads a prompt once, at most a bounded head and tail of it, into the counts that every score is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.routing.prompt.lexicon import PARTS, WORDS

# Characters read at each end: together 32 KB at most, whatever the script, so that a huge prompt costs no more than a long one.
END = 4096

# All of these are linear in the text; the table does for plain ASCII what the class does for every script, sooner.
_APART = str.maketrans(dict.fromkeys("!\"#$%&'()*+,./:;<=>?@[\\]^_`{|}~", " "))
_NO_WORD = re.compile(r"[^\w-]+|_+")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")

_SENTENCE_ENDS = (". ", ".\n", "? ", "?\n", "! ", "!\n", "。", "！", "？", "؟", "।")
_CHOICES = tuple(
    f"\n{before}{letter}{after}" for letter in "ABCD" for before, after in (("", "."), ("", ")"), ("(", ")"))
)
_ITEMS = ("\n- ", "\n* ", "\n• ", *(f"\n{number}{mark} " for number in range(1, 10) for mark in ".)"))
_MATH_SIGNS = ("$", "\\", "^", "=", "+", "<", ">", "≤", "≥", "√", "∑", "∫", "π")
_CODE_SIGNS = ("{", "}", "[", "]", "()", ";", "_", "==", "->", "=>", "::", "//")
_QUOTES = ('"', "'", "“")
_COMMAS = (",", "，", "、", "،")
_QUESTIONS = ("?", "？", "؟")

# Unspaced scripts take about this many characters to say what a word says.
_CHARACTERS_A_WORD = 2.0
_LONG = 7


@dataclass(frozen=True, slots=True)
class Reading:
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


def read(prompt: str) -> Reading:
    """Linear in the sample; any string will do, lone surrogates included."""
    sample = sampled(prompt)
    apart = sample.translate(_APART) if sample.isascii() else _NO_WORD.sub(" ", sample)
    lower = apart.lower().split()
    distinct = set(lower)
    spoken = max(1, len(lower))
    numbers = [word for word in lower if word.isdigit()]
    ascii_only = sample.isascii()
    unspaced = 0 if ascii_only else len(_UNSPACED.findall(sample))
    size = max(1, len(sample))
    in_lines = "\n" in sample
    return Reading(
        length=len(prompt),
        words=(len(lower) + unspaced / _CHARACTERS_A_WORD) * max(1.0, len(prompt) / size),
        letters_a_word=sum(map(len, lower)) / spoken,
        long_words=sum(map(_LONG.__lt__, map(len, lower))) / spoken,
        capitals=sum(map(str.istitle, apart.split())) / spoken,
        variety=len(distinct) / spoken,
        non_ascii=0.0 if ascii_only else 1.0 - len(sample.encode("ascii", "ignore")) / size,
        numbers=len(numbers),
        digits=sum(map(len, numbers)),
        lines=sample.count("\n") + 1,
        questions=sum(map(sample.count, _QUESTIONS)),
        sentences=sum(map(sample.count, _SENTENCE_ENDS)),
        commas=sum(map(sample.count, _COMMAS)),
        quotes=sum(map(sample.count, _QUOTES)),
        choices=sum(map(sample.count, _CHOICES)) if in_lines else 0,
        items=sum(map(sample.count, _ITEMS)) if in_lines else 0,
        backslashes=sample.count("\\"),
        math_signs=sum(map(sample.count, _MATH_SIGNS)),
        code_signs=sum(map(sample.count, _CODE_SIGNS)),
        fences=sample.count("```"),
        first_word=lower[0] if lower else "",
        cues=_cues(distinct, sample),
    )


def _cues(distinct: set[str], sample: str) -> dict[str, int]:
    """How many different words of each kind the text holds."""
    cues = {name: len(words & distinct) for name, words in WORDS.items()}
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
