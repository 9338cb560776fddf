"""The comparable part of an answer, and the result of comparing two.

Rules that need no second answer come first: an answer that breaks its prescribed format, was cut short or refuses is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any, Literal

import orjson

from gateway.completion import ChatRequest, Json
from gateway.routing.comparison.comparable import AnswerKind
from gateway.routing.comparison.normalization import ComparisonError, normal_json, normal_text
from gateway.routing.feedback.format_check import check_format

# What came of asking several models.
Comparison = Literal["agreed", "differed"]

# Characters. Longer answers are not compared: it would take long, and they are no labels.
MAX_ANSWER = 100_000
MAX_TEXT = 200
_INCOMPLETE = frozenset({"length", "content_filter"})
_BOXED = "\\boxed{"
# "#### 42" is how the answers of grade-school maths are marked, "Answer: 42" what people ask for.
_MARKED = re.compile(r"^(?:#### ?|\**(?:the )?(?:final )?answer\**(?: is)?\**:\** ?)(.{1,200})$", re.IGNORECASE)
_MATHS = str.maketrans({"$": None})


def compare(first: Hashable | None, second: Hashable | None) -> Comparison:
    """Of two comparable parts. None, no answer, agrees with nothing."""
    return "agreed" if first is not None and first == second else "differed"


def comparable_part(request: ChatRequest, kind: AnswerKind, choices: Sequence[Json]) -> Hashable | None:
    """What of an answer is compared, in its normal form; None where it has no such answer."""
    if len(choices) != 1 or choices[0].get("finish_reason") in _INCOMPLETE:
        return None
    message = choices[0].get("message") or {}
    if message.get("refusal") or _size(message) > MAX_ANSWER or check_format(request, choices) == "invalid":
        return None
    try:
        if message.get("tool_calls"):
            return _calls(message["tool_calls"]) if kind == "calls" else None
        content = message.get("content")
        if not isinstance(content, str):
            return None
        if kind == "json":
            return normal_json(orjson.loads(content))
        return _text(content)
    except (orjson.JSONDecodeError, ComparisonError, TypeError):
        return None


def _size(message: Json) -> int:
    content = message.get("content")
    size = len(content) if isinstance(content, str) else 0
    for call in message.get("tool_calls") or ():
        arguments = (call.get("function") or {}).get("arguments")
        size += len(arguments) if isinstance(arguments, str) else 0
    return size


def _calls(calls: Sequence[Json]) -> Hashable:
    """Names and arguments, in any order: parallel calls have none."""
    found = []
    for call in calls:
        function: Any = call.get("function")
        if not isinstance(function, dict):
            raise ComparisonError("no call of a function")
        found.append((function.get("name"), normal_json(orjson.loads(function.get("arguments") or "{}"))))
    return "calls", frozenset(found), len(found)


def _text(content: str) -> Hashable | None:
    """The marked answer of a longer text, or all of a short one."""
    content = content.strip()
    answer = _boxed(content)
    if answer is None:
        last = content.rpartition("\n")[2].strip()
        marked = _MARKED.fullmatch(last)
        answer = marked[1].strip(" *") if marked else content
    if not answer or len(answer) > MAX_TEXT or "\n" in answer:
        return None
    return normal_text(answer.translate(_MATHS))


def _boxed(content: str) -> str | None:
    """What LaTeX puts into a box, the last one of the text."""
    start = content.rfind(_BOXED)
    if start < 0:
        return None
    start += len(_BOXED)
    depth = 1
    for place in range(start, min(len(content), start + MAX_TEXT + 1)):
        depth += (content[place] == "{") - (content[place] == "}")
        if depth == 0:
            return content[start:place]
    return None
