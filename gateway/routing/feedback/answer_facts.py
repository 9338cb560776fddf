"""Collects the facts of a complete or streamed answer that its labels depend on."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.completion import ChatRequest, Json
from gateway.routing.feedback.format_check import AnswerAssembler, Validity
from gateway.routing.feedback.labels import AnswerFacts


def answer_of(choices: Sequence[Json], *, validity: Validity | None) -> AnswerFacts:
    """The facts of a complete answer. `validity` is the result of `check_format`."""
    finish_reason: str | None = None
    empty, refused = True, False
    for choice in choices:
        message = choice.get("message") or {}
        finish_reason = finish_reason or choice.get("finish_reason")
        empty = empty and not _has_content(message)
        refused = refused or bool(message.get("refusal"))
    return AnswerFacts(finish_reason, empty=empty, refused=refused, validity=validity)


class AnswerCollector:
    """Collects the facts of a streamed answer, chunk by chunk."""

    def __init__(self, request: ChatRequest) -> None:
        self._assembler = AnswerAssembler(request)
        self._finish_reason: str | None = None
        self._empty = True
        self._refused = False

    def add(self, choice: Json) -> None:
        """Takes one choice of a chunk."""
        delta = choice.get("delta") or {}
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        self._refused = self._refused or bool(delta.get("refusal"))
        self._empty = self._empty and not _has_content(delta)
        self._assembler.add(choice)

    def answer(self) -> AnswerFacts:
        """The facts of the whole answer, after the end of the stream."""
        validity = self._assembler.validity()
        return AnswerFacts(self._finish_reason, empty=self._empty, refused=self._refused, validity=validity)


def _has_content(message: Json) -> bool:
    return any(message.get(name) for name in ("content", "tool_calls", "refusal", "images", "audio"))
