"""Normal forms of values: two answers are the same if their normal forms are equal.

What is written in several ways and means the same gets one form: numbers (`1,234.50` and `1234.5`), labels (`Yes.` and `yes`), JSON whose
members stand in another order. Nothing else is made equal: a wrong match gives a wrong answer to a client, a missed one only costs a call.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal

MAX_DEPTH = 64
# Members that explain an answer and are no part of it, as structured answers with room to think name them.
EXPLANATIONS = frozenset(
    {"analysis", "confidence", "explanation", "justification", "rationale", "reason", "reasoning", "steps", "thinking", "thought", "thoughts"}
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,40})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?")
_CURRENCY = ("$", "€", "£")
# A label is a few words of letters: its case and the full stop behind it say nothing.
_MOST_OF_LABEL = 60
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d"}


class ComparisonError(ValueError):
    """The value has no normal form: it nests too deeply, or holds a number that equals nothing (NaN)."""


def normal_json(value: object, *, depth: int = 0) -> Hashable:
    """The normal form of parsed JSON, without members that only explain. Raises ComparisonError."""
    if depth > MAX_DEPTH:
        raise ComparisonError("nested too deeply")
    if isinstance(value, bool) or value is None:
        return value, "constant"  # True is not 1
    if isinstance(value, int | float):
        return _normal_float(value)
    if isinstance(value, str):
        return normal_text(value)
    if isinstance(value, Mapping):
        kept = [name for name in value if name.lower() not in EXPLANATIONS] or list(value)
        return "object", frozenset((name, normal_json(value[name], depth=depth + 1)) for name in kept)
    if isinstance(value, Sequence):
        return "array", tuple([normal_json(item, depth=depth + 1) for item in value])
    raise ComparisonError(f"a {type(value).__name__}")


def normal_text(text: str) -> Hashable:
    """The normal form of a label, a number or a short text."""
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    bare = text.removesuffix(".")
    if (number := _number(bare)) is not None:
        return number
    if len(bare) <= _MOST_OF_LABEL and bare.replace(" ", "").replace("-", "").replace("_", "").isalpha():
        return bare.casefold()
    return _unquoted(text)


def _number(text: str) -> Hashable | None:
    digits = text[1:].lstrip() if text.startswith(_CURRENCY) else text
    return ("number", Decimal(digits.replace(",", "")).normalize()) if _NUMBER.fullmatch(digits) else None


def _normal_float(value: float) -> Hashable:
    if isinstance(value, float) and not math.isfinite(value):
        raise ComparisonError("no finite number")
    return "number", Decimal(repr(value)).normalize()


def _unquoted(text: str) -> str:
    """Without one pair of quotes around all of it."""
    inner = text[1:-1]
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] and text[0] not in inner and text[-1] not in inner:
        return inner
    return text
