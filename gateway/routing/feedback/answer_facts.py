"""Reads of an answer, whole or streamed, what its labels need."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.completion import ChatRequest, Json
from gateway.routing.feedback.format_check import AnswerAssembler, Validity
from gateway.routing.feedback.labels import AnswerFacts


def answer_of(choices: Sequence[Json], *, form: Validity | None) -> AnswerFacts:
    """Of a whole answer; `form` is that of `structure.form_of`."""
    finish_reason: str | None = None
    empty, refused = True, False
    for choice in choices:
        message = choice.get("message") or {}
        finish_reason = finish_reason or choice.get("finish_reason")
        empty = empty and not _says(message)
        refused = refused or bool(message.get("refusal"))
    return AnswerFacts(finish_reason, empty=empty, refused=refused, form=form)


class AnswerCollector:
    """Listens to a stream's choices."""

    def __init__(self, request: ChatRequest) -> None:
        self._gathered = AnswerAssembler(request)
        self._finish: str | None = None
        self._empty = True
        self._refused = False

    def add(self, choice: Json) -> None:
        """One choice of a chunk."""
        delta = choice.get("delta") or {}
        self._finish = choice.get("finish_reason") or self._finish
        self._refused = self._refused or bool(delta.get("refusal"))
        self._empty = self._empty and not _says(delta)
        self._gathered.add(choice)

    def answer(self) -> AnswerFacts:
        """Of the whole stream, once it has ended."""
        return AnswerFacts(self._finish, empty=self._empty, refused=self._refused, form=self._gathered.form())


def _says(message: Json) -> bool:
    return any(message.get(name) for name in ("content", "tool_calls", "refusal", "images", "audio"))
